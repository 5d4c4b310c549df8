import { sessions } from "@antechamber/client/next";
import { cookies, headers } from "next/headers";

// The build has no options.
export const visitors = sessions(JSON.parse(process.env["OPTIONS"] ?? '{ "url": "http://127.0.0.1:9" }'));

export const currentSession = async () => visitors.session(await headers(), await cookies());
