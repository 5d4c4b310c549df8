import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import expressSession from "express-session";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessionOf, sessions } from "../../src/middleware/express.ts";
import { createVisitor } from "./visitor.ts";

const antechamber = oneServer();

// express-session silently does nothing if the property `req.session` exists.

const onError: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).send(String(error));
};

/** Responds with both sessions, or with the error of a handler. */
const show: RequestHandler = (request, response) => {
  const { session } = request as { session?: { visits?: number; save?: unknown } };
  if (session) session.visits = (session.visits ?? 0) + 1;
  const visits = session?.visits ?? null;
  response.json({ session: sessionOf(request), visits, canSave: typeof session?.save });
};

async function visitTwice(app: Express) {
  app.get("/", show).use(onError);
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const visitor = createVisitor(`http://127.0.0.1:${port}`);
    return { first: await visitor.visit("/"), second: await visitor.visit("/"), visitor };
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

const other = () => expressSession({ secret: "secret", resave: false, saveUninitialized: true });

for (const order of ["before", "after"] as const) {
  const inOrder = (one: RequestHandler, two: RequestHandler) => (order === "before" ? [one, two] : [two, one]);

  test(`with the option property, both sessions work when mounted ${order} express-session`, async () => {
    const middleware = sessions({ url: antechamber.url, deadline: 20_000, property: "visitor" });
    const { first, second, visitor } = await visitTwice(express().use(...inOrder(middleware, other())));
    assert.match(first.text, /"visits":1,"canSave":"function"/);
    assert.match(second.text, /"visits":2,"canSave":"function"/);
    assert.equal(second.seen?.sessionId, first.seen?.sessionId);
    assert.deepEqual([...visitor.cookies.keys()].toSorted(), ["connect.sid", "sessionId"]);
    await middleware.close();
  });

  for (const isDown of [false, true]) {
    test(`without the option property, mounted ${order} express-session, errors say what to do${isDown ? ", even while Antechamber is down" : ""}`, async () => {
      const url = isDown ? "http://127.0.0.1:9" : antechamber.url;
      const middleware = sessions({ url, deadline: 20_000, onError: () => undefined });
      const apps = [
        express().use(...inOrder(middleware, other())),
        // express-session is called by another function, so it cannot be recognized by its source.
        express().use(...inOrder(middleware, (...all) => other()(...all))),
        express().use("/", express.Router().use(...inOrder(middleware, other()))),
      ];
      for (const app of apps) {
        const { first, second } = await visitTwice(app);
        for (const page of [first, second]) {
          assert.equal(page.status, 500, page.text);
          assert.match(page.text, /give sessions\(\) the option property/);
        }
      }
      await middleware.close();
    });
  }
}

test("using the members of another session middleware throws an error that says what to do", async () => {
  const middleware = sessions({ url: antechamber.url, deadline: 20_000 });
  const touches: readonly ((session: Record<string, unknown>) => unknown)[] = [
    (session) => session["save"],
    (session) => session["regenerate"],
    (session) => Object.assign(session, { cart: [] }),
    // Code that is not in strict mode, like this, ignores that setting a property returns `false`.
    (session) => Reflect.set(session, "cart", []),
    (session) => Reflect.deleteProperty(session, "customerId"),
    (session) => Object.assign(session, { customerId: "somebody" }),
  ];
  for (const touch of touches) {
    const app = express().use(middleware);
    app.use((request, _response, next) => {
      touch(sessionOf(request) as unknown as Record<string, unknown>);
      next();
    });
    const { first } = await visitTwice(app);
    assert.match(first.text, /give sessions\(\) the option property/, String(touch));
  }
  await middleware.close();
});

test("with express-session, headers passed to writeHead without a reason are not lost", async () => {
  const middleware = sessions({ url: antechamber.url, property: "visitor", deadline: 20_000 });
  const app = express().use(other()).use(middleware);
  app.get("/head", (_request, response) => {
    response.writeHead(200, undefined, { "X-Other": "1" }).end();
  });
  const server = createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { headers } = await fetch(`http://127.0.0.1:${port}/head`);
  server.closeAllConnections();
  server.close();
  await once(server, "close");
  await middleware.close();
  assert.match(headers.getSetCookie().join(), /sessionId=/);
  assert.equal(headers.get("x-other"), "1");
});
