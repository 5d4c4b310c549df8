import { sessions } from "@antechamber/client/sveltekit";

// The build has no options.
export const handle = sessions(JSON.parse(process.env["OPTIONS"] ?? '{ "url": "http://127.0.0.1:9" }'));
