import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { type NitroEvent, type RequestSession, sessions } from "@antechamber/client/nitro";
import type { StartApplication } from "../suite.ts";
import { respond } from "./routes.ts";

/** A server that calls the hook `request` of the plugin before its handler, as Nitro does on Node. */
export const startNitro: StartApplication = async (options) => {
  const plugin = sessions(options);
  let onRequest: (event: NitroEvent) => Promise<void> = async () => undefined;
  plugin({
    hooks: {
      hook(name, listener) {
        if (name === "request") onRequest = listener;
      },
    },
  });
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const context: { session?: RequestSession | null } = {};
    await onRequest({ node: { req, res }, context });
    const headers = Object.entries(req.headers).flatMap(([name, value]) =>
      value ? [[name, String(value)] as [string, string]] : [],
    );
    const request = new Request(`http://site${req.url ?? ""}`, { method: req.method ?? "GET", headers });
    try {
      const response = await respond(request, context.session ?? null);
      res.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body) Readable.fromWeb(response.body).pipe(res);
    } catch (error) {
      res.writeHead(500).end(String(error));
    }
  };
  const server = createServer((req, res) => void handle(req, res)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await plugin.close();
    },
  };
};
