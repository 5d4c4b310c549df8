import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";

/** Starts a server that calls `handler`: Bun's own on Bun, one on top of `node:http` on Node. */
export async function serveFetch(
  handler: (request: Request, env?: object) => Response | Promise<Response>,
): Promise<{ url: string; close(): Promise<void> }> {
  if (process.versions.bun !== undefined) {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => handler(request),
    });
    return { url: `http://127.0.0.1:${server.port}`, close: () => server.stop(true) };
  }
  const server = createAdaptorServer({ fetch: handler }).listen(0, "127.0.0.1");
  // Longer than any pause of a test: a request that is sent while its idle connection is closed fails.
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = 60_000;
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if ("closeAllConnections" in server) server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
