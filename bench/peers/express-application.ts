// A small Express application. If SESSIONS_URL is set, it uses the middleware of @antechamber/client as documented.
import type { AddressInfo } from "node:net";
import express from "express";
import { sessionOf, sessions } from "../../client/src/middleware/express.ts";

const { SESSIONS_URL } = process.env;
const middleware = SESSIONS_URL === undefined ? undefined : sessions({ url: SESSIONS_URL });
let withoutSession = 0;

const app = express();
app.disable("x-powered-by");
app.disable("etag");
// Registered before the middleware, so that this route is neither measured nor recorded.
app.get("/counts", async (_request, response) => {
  await middleware?.flush();
  response.json({ withoutSession, dropped: middleware?.dropped() ?? 0 });
});
if (middleware) app.use(middleware);
app.get("/help/articles/:id/:name", (request, response) => {
  const customerId = sessionOf(request)?.customerId ?? null;
  if (customerId === null) withoutSession++;
  response.json({ article: request.params.id, customerId });
});

const server = app.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}`);
});
