import { type RequestSession, type SvelteKitEvent, sessions } from "@antechamber/client/sveltekit";
import { serveFetch } from "../../../../client/test/middleware/sites/fetch-server.ts";
import type { StartApplication } from "../suite.ts";
import { respond } from "./routes.ts";

type Attributes = Parameters<SvelteKitEvent["cookies"]["set"]>[2];

/** Calls the hook with an event, and adds the cookies of the event to the response, as SvelteKit does. */
export const startSvelteKit: StartApplication = async (options) => {
  const handle = sessions(options);
  const server = await serveFetch((request) => {
    const cookies = new Map<string, string>();
    const locals: { session?: RequestSession | null } = {};
    const set = (name: string, value: string, attributes: Attributes) => {
      cookies.set(name, format(name, value, attributes));
    };
    const event = { request, url: new URL(request.url), cookies: { set }, locals, isSubRequest: false };
    const resolve = async (given: typeof event) => {
      const response = await respond(given.request, locals.session ?? null).catch(
        (error: unknown) => new Response(String(error), { status: 500 }),
      );
      for (const cookie of cookies.values()) response.headers.append("set-cookie", cookie);
      return response;
    };
    return handle({ event, resolve });
  });
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server.close();
      await handle.close();
    },
  };
};

function format(name: string, value: string, { path, domain, maxAge, sameSite, httpOnly, secure }: Attributes): string {
  const parts = [`${name}=${encodeURIComponent(value)}`, `Path=${path}`, `SameSite=${sameSite}`];
  if (maxAge !== undefined) parts.push(`Max-Age=${maxAge}`);
  if (domain !== undefined) parts.push(`Domain=${domain}`);
  if (httpOnly) parts.push("HttpOnly");
  if (secure) parts.push("Secure");
  return parts.join("; ");
}
