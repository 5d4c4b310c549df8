import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import express, { type ErrorRequestHandler, type RequestHandler } from "express";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessionOf, sessions } from "../../src/middleware/express.ts";
import { createVisitor } from "./visitor.ts";

async function listen(app: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const antechamber = oneServer();
const options = () => ({ url: antechamber.url, deadline: 20_000 });

/** Responds with the value of a property of the request. */
function show(property: string): RequestHandler {
  return (request, response) => {
    const there = (request as unknown as Record<string, unknown>)[property];
    response.json({ session: there, isSame: there === sessionOf(request) });
  };
}

/** Sets `req.session`, as another session middleware does. */
const other: RequestHandler = (request, _response, next) => {
  Object.assign(request, { session: { user: "jane" } });
  next();
};

const onError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).send(String(error));
};

test("the session is req.session, or the property that the option names", async () => {
  for (const property of ["session", "visitor"]) {
    const middleware = sessions({ ...options(), property });
    await using site = await listen(express().use(middleware).get("/", show(property)));
    const page = await createVisitor(site.url).visit("/");
    assert.equal(page.seen?.state, "anonymous");
    assert.match(page.text, /"isSame":true/);
    await middleware.close();
  }
});

test("a property of another middleware is not replaced", async () => {
  const middleware = sessions(options());
  await using site = await listen(express().use(other, middleware).use(onError));
  const page = await createVisitor(site.url).visit("/");
  assert.equal(page.status, 500);
  assert.match(page.text, /property/);

  const beside = sessions({ ...options(), property: "visitor" });
  await using both = await listen(express().use(other, beside).get("/", show("visitor")));
  assert.equal((await createVisitor(both.url).visit("/")).seen?.state, "anonymous");
  await beside.close();
});

test("a property that another middleware defines meanwhile is an error of the request, and not the end of the process", async () => {
  const meanwhile: RequestHandler = (request, _response, next) => {
    next();
    Object.defineProperty(request, "session", { value: { user: "jane" } });
  };
  const app = express().use(meanwhile).use(sessions(options())).get("/", show("session")).use(onError);
  await using site = await listen(app);
  const response = await fetch(site.url);
  assert.equal(response.status, 500);
  assert.match(await response.text(), /TypeError/);
});

test("mounted twice, the middleware works once, and in a router it records complete paths", async () => {
  const middleware = sessions(options());
  const router = express.Router().use(middleware, middleware).get("/there", show("session"));
  await using site = await listen(express().use("/here", router));
  const visitor = createVisitor(site.url);
  const page = await visitor.visit("/here/there?x=1");
  assert.equal(page.headers.getSetCookie().length, 1);
  await middleware.close();
  const timeline = await fetch(`${antechamber.url}/sessions/${page.seen?.sessionId}/requests`);
  const { records, total } = (await timeline.json()) as { records: { path?: string }[]; total: 1 };
  assert.equal(total, 1);
  assert.equal(records.at(-1)?.path, "/here/there");
});

test("the site's cookies are sent in addition to the session's cookie", async () => {
  const middleware = sessions(options());
  const signInTwice: RequestHandler = (request, response) => {
    const respond = async () => {
      response.cookie("theme", "dark");
      await sessionOf(request)?.identify({ customerId: "jane" });
      await sessionOf(request)?.identify({ customerId: "john" });
      response.json({ session: sessionOf(request) });
    };
    void respond();
  };
  const app = express().use(middleware).get("/", signInTwice);
  await using site = await listen(app);
  const page = await createVisitor(site.url).visit("/");
  assert.deepEqual(
    page.headers.getSetCookie().map((cookie) => cookie.split(";")[0]),
    ["theme=dark", `sessionId=${page.seen?.sessionId}`],
  );
  assert.equal(page.seen?.customerId, "john");
  await middleware.close();
});

test("the middleware does not change upgrades that the server handles outside the application", async () => {
  const middleware = sessions(options());
  const server = createServer(express().use(middleware).get("/", show("session")));
  server.on("upgrade", (_request, socket) => {
    socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const upgrading = httpRequest({
    port,
    host: "127.0.0.1",
    headers: { connection: "Upgrade", upgrade: "echo" },
  }).end();
  const [response, socket] = (await once(upgrading, "upgrade")) as [IncomingMessage, Socket];
  assert.equal(response.statusCode, 101);
  assert.equal(response.headers["set-cookie"], undefined);
  socket.destroy();
  assert.equal((await createVisitor(`http://127.0.0.1:${port}`).visit("/")).status, 200);
  server.closeAllConnections();
  server.close();
  await middleware.close();
});
