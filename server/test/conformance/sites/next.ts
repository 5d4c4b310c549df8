import { sessions } from "@antechamber/client/next";
import { serveFetch } from "../../../../client/test/middleware/sites/fetch-server.ts";
import type { StartApplication } from "../suite.ts";
import { respond } from "./routes.ts";

/** Runs a proxy and a route handler in the order in which Next.js runs them. */
export const startNext: StartApplication = async (options) => {
  const visitors = sessions(options);
  const route = visitors.withSession((request, { session }) => respond(request, session));
  const server = await serveFetch(async (request) => {
    let behind = new Headers();
    const proxied = await visitors.proxy((_request, { headers }) => {
      behind = headers;
      return new Response(null);
    })(request);
    const response = await route(new Request(request, { headers: behind })).catch(
      (error: unknown) => new Response(String(error), { status: 500 }),
    );
    const merged = new Response(response.body, response);
    // Next.js prefers headers of the proxy.
    for (const [name, value] of proxied.headers) merged.headers.set(name, value);
    merged.headers.delete("set-cookie");
    const cookies = [...proxied.headers.getSetCookie(), ...response.headers.getSetCookie()];
    for (const cookie of cookies) merged.headers.append("set-cookie", cookie);
    return merged;
  });
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server.close();
      await visitors.close();
    },
  };
};
