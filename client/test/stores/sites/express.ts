import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import express, { type ErrorRequestHandler, type Request } from "express";
import expressSession from "express-session";
import { antechamberSession } from "../../../src/stores/express-session.ts";
import { SECRET, type SessionObject, type Site, type StartSite, TIMEOUT_MS, type Visit } from "./site.ts";

export const startExpress: StartSite = async ({ cookie = {}, rolling = false, unset = "keep", ...options }) => {
  const session = antechamberSession(expressSession, { timeout: TIMEOUT_MS, ...options });
  const app = express();
  app.use(session({ secret: SECRET, resave: false, saveUninitialized: false, cookie, rolling, unset }));
  app.use(async (request, response) => {
    response.json((await site.handle(visitOf(request))) ?? null);
  });
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    if (!response.headersSent) response.status(500).json({ error: String(error) });
  };
  app.use(onError);
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const site: Site = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    handle: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return site;
};

function visitOf(request: Request): Visit {
  const session = () => request.session as unknown as SessionObject;
  const call = async (name: "regenerate" | "reload" | "destroy" | "save") => {
    const method = request.session[name] as (done: (error: unknown) => void) => void;
    await promisify(method.bind(request.session))();
  };
  return {
    session: session(),
    id: () => request.sessionID,
    regenerate: () => call("regenerate").then(session),
    reload: () => call("reload").then(session),
    destroy: () => call("destroy"),
    save: () => call("save"),
    unset: () => {
      Reflect.deleteProperty(request, "session");
    },
  };
}
