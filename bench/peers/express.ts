// A session service made of express-session and connect-redis, configured as both recommend for production.
import type { AddressInfo } from "node:net";
import { RedisStore } from "connect-redis";
import express, { type Request, type Response } from "express";
import session from "express-session";
import { connectedClient } from "./redis-client.ts";
import { associate, COOKIE_SECRET, given, IDLE_SECONDS, sessionInfo } from "./session-info.ts";

declare module "express-session" {
  interface SessionData {
    createdAt?: number;
    agentId?: string | null;
    customerId?: string | null;
    visitId?: string | null;
    globalVisitId?: string | null;
  }
}

const client = await connectedClient();

const app = express();
app.disable("x-powered-by");
app.disable("etag"); // clients never store the responses, so an ETag would be useless
app.use(
  session({
    store: new RedisStore({ client, ttl: IDLE_SECONDS }),
    secret: COOKIE_SECRET,
    resave: false,
    saveUninitialized: false,
  }),
);

function answer(request: Request, response: Response): void {
  response.set("cache-control", "no-store").json(sessionInfo(request.sessionID, request.session));
}

function associateAndAnswer(request: Request, response: Response): void {
  request.session.createdAt ??= Date.now();
  if (associate(request.session, given(request.headers, request.body))) answer(request, response);
  else response.status(400).json({ code: "already-exists" });
}

const body = express.json({ limit: "16kb" });
app.put("/sessions/new", body, associateAndAnswer);
app.post("/sessions/current", body, associateAndAnswer);
app.get("/sessions/current", (request, response) => {
  request.session.createdAt ??= Date.now();
  answer(request, response);
});

const server = app.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}`);
});
