// A page in Express that reads and changes its session. SESSIONS_URL: Antechamber is the store; REDIS_URL: connect-redis.
import type { AddressInfo } from "node:net";
import { RedisStore } from "connect-redis";
import express from "express";
import expressSession from "express-session";
import { antechamberSession } from "../../client/src/stores/express-session.ts";
import { connectedClient } from "./redis-client.ts";
import { COOKIE_SECRET } from "./session-info.ts";

declare module "express-session" {
  interface SessionData {
    user?: { name: string; roles: string[] };
    views?: number;
  }
}

const { SESSIONS_URL } = process.env;
const options = { secret: COOKIE_SECRET, resave: false, saveUninitialized: false };

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use(
  SESSIONS_URL === undefined
    ? expressSession({ ...options, store: new RedisStore({ client: await connectedClient() }) })
    : antechamberSession(expressSession, { url: SESSIONS_URL })(options),
);
app.get("/sign-in", (request, response) => {
  request.session.user = { name: "customer-4711", roles: ["customer", "newsletter"] };
  response.json({ name: request.session.user.name });
});
app.get("/read", (request, response) => {
  response.json({ name: request.session.user?.name, views: request.session.views ?? 0 });
});
app.get("/page", (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.json({ name: request.session.user?.name, views: request.session.views });
});

const server = app.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}`);
});
