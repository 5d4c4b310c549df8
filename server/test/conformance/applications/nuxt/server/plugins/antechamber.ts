import { sessions } from "@antechamber/client/nitro";

// Prerendering has no options.
export default defineNitroPlugin(sessions(JSON.parse(process.env["OPTIONS"] ?? '{ "url": "http://127.0.0.1:9" }')));
