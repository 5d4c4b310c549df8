import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { getRequestListener } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import express, { type Response as ExpressResponse } from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessionOf, sessions as withExpress } from "../../src/middleware/express.ts";
import { sessions as withFastify } from "../../src/middleware/fastify.ts";
import { sessions as withFetch } from "../../src/middleware/fetch.ts";
import { sessions as withHono } from "../../src/middleware/hono.ts";
import type { RequestSession } from "../../src/middleware/request-session.ts";
import { serveFetch } from "./sites/fetch-server.ts";
import { createVisitor } from "./visitor.ts";

const antechamber = oneServer();

// If headers of a handler removed the session's cookie, the second person at a browser would use the first one's
// session.

/** The ways to respond with a cookie of the handler's own. Each sends a complete response. */
const nodeWays: Readonly<Record<string, (response: ServerResponse, auth: string) => void>> = {
  "setHeader with a text": (response, auth) => response.setHeader("Set-Cookie", auth).end("done"),
  "setHeader with a list": (response, auth) => response.setHeader("set-cookie", [auth]).end(),
  appendHeader: (response, auth) => response.appendHeader("Set-Cookie", auth).end("done"),
  "removeHeader before": (response, auth) => {
    response.removeHeader("Set-Cookie");
    response.setHeader("Set-Cookie", auth).end("done");
  },
  "writeHead with an object": (response, auth) =>
    response.writeHead(200, { "Set-Cookie": auth, "X-Other": "1" }).end("done"),
  "writeHead with a list in an object": (response, auth) =>
    response.writeHead(200, "Fine", { "set-cookie": [auth, "b=2"] }).end("done"),
  "writeHead with a flat list": (response, auth) =>
    response.writeHead(200, ["X-Other", "1", "Set-Cookie", auth, "Set-Cookie", "b=2"]).end("done"),
  "writeHead after setHeader": (response, auth) =>
    response.setHeader("Set-Cookie", auth).writeHead(200, { "X-Other": "1" }).end("done"),
  "writeHead without a reason": (response, auth) =>
    response.writeHead(200, undefined, { "Set-Cookie": auth }).end("done"),
  "writeHead alone": (response, auth) => response.setHeader("Set-Cookie", auth).writeHead(204).end(),
  flushHeaders: (response, auth) => {
    response.setHeader("Set-Cookie", auth).flushHeaders();
    setImmediate(() => response.end("done"));
  },
  write: (response, auth) => {
    response.setHeader("Set-Cookie", auth).write("do");
    setImmediate(() => response.end("ne"));
  },
  "304": (response, auth) => {
    response.statusCode = 304;
    response.setHeader("Set-Cookie", auth).end();
  },
  "a head that fails first": (response, auth) => {
    assert.throws(() => response.writeHead(200, { "Set-Cookie": auth, "no header": "\n" }));
    response.writeHead(500, { "Set-Cookie": auth }).end();
  },
};

const expressWays: Readonly<Record<string, (response: ExpressResponse, auth: string) => void>> = {
  cookie: (response, auth) => {
    const [name = "", value = ""] = auth.split("=");
    response.cookie(name, value).json({});
  },
  append: (response, auth) => void response.append("Set-Cookie", auth).send("done"),
  set: (response, auth) => void response.set("Set-Cookie", auth).send("done"),
  "set with an object": (response, auth) => void response.set({ "Set-Cookie": [auth] }).send("done"),
  redirect: (response, auth) => response.set("Set-Cookie", auth).redirect(303, "/page"),
  sendStatus: (response, auth) => void response.set("Set-Cookie", auth).sendStatus(403),
};

const jsonOf = (session: RequestSession | null) => JSON.stringify({ session });
const customerIn = (url: string | undefined) => new URL(url ?? "", "http://site").searchParams.get("customer");

type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown;

async function listen(app: NodeHandler): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => void app(request, response));
  server.listen(0, "127.0.0.1");
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

/** Returns a resource that is closed at the end of the block, even if the test fails. */
function closing<T>(opened: T, close: (opened: T) => unknown): AsyncDisposable & { opened: T } {
  return {
    opened,
    async [Symbol.asyncDispose]() {
      await close(opened);
    },
  };
}

/** Lets two people sign in at `path` with one browser. Asserts that it then has the second one's session. */
async function checkTwoPeople(site: string, path: string, method = "POST"): Promise<void> {
  const visitor = createVisitor(site);
  for (const customer of ["first", "second"]) {
    const page = await visitor.visit(`${path}?customer=${customer}`, { method });
    const names = page.headers.getSetCookie().map((cookie) => cookie.split("=", 1)[0]);
    assert.equal(names.filter((name) => name === "sessionId").length, 1, `${path}: ${names.join()}`);
    assert.equal(page.headers.get("cache-control"), "no-store", path);
    assert.equal(visitor.cookies.get("auth"), customer, path);
    // A cache merges the headers of a 304 into the stored response, so a 304 must not contain the session id.
    const given = page.status === 304 ? undefined : visitor.cookies.get("sessionId");
    assert.equal(page.headers.get("gkc-sessionId") ?? undefined, given, path);
  }
  const { seen } = await visitor.visit("/page");
  assert.equal(seen?.customerId, "second", path);
}

test("express: handlers' cookies are sent in addition to the session's cookie, however they are set", async () => {
  const middleware = withExpress({ url: antechamber.url, deadline: 20_000 });
  const app = express().use(middleware);
  app.get("/page", (request, response) => {
    response.send(jsonOf(sessionOf(request)));
  });
  const ways = Object.entries({ ...nodeWays, ...expressWays });
  for (const [number, [, respond]] of ways.entries()) {
    app.all(`/${number}`, async (request, response) => {
      const customerId = customerIn(request.url);
      await sessionOf(request)?.identify({ customerId });
      respond(response, `auth=${customerId}`);
    });
  }
  app.all("/broken", (request, response, next) => {
    const customerId = customerIn(request.url);
    response.cookie("auth", customerId);
    const fail = () => next(new Error("broken"));
    void sessionOf(request)?.identify({ customerId }).then(fail);
  });
  app.set("env", "test");
  await using site = await listen(app);
  for (const [number, [name]] of ways.entries()) {
    await checkTwoPeople(site.url, `/${number}`).catch((error: unknown) => {
      throw new Error(`${name}: ${String(error)}`);
    });
  }
  await checkTwoPeople(site.url, "/0", "HEAD");
  const visitor = createVisitor(site.url);
  const broken = await visitor.visit("/broken?customer=a", { method: "POST" });
  assert.equal(broken.status, 500);
  assert.equal((await visitor.visit("/page")).seen?.customerId, "a");
  await middleware.close();
});

test("a handler may clear the session's cookie; setting it is reported to onError", async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const middleware = withExpress({ url: antechamber.url, deadline: 20_000, onError });
  const app = express().use(middleware);
  app.get("/clear", (_request, response) => void response.clearCookie("sessionId").send("done"));
  app.get("/elsewhere", (_request, response) => {
    response.cookie("sessionId", "own", { path: "/old" }).send("done");
  });
  app.get("/taken", (_request, response) => void response.cookie("sessionId", "own").send("done"));
  await using site = await listen(app);
  const cookies = async (path: string) =>
    (await createVisitor(site.url).visit(path)).headers.getSetCookie().map((cookie) => cookie.slice(0, 13));
  assert.deepEqual(await cookies("/clear"), ["sessionId=; P"]);
  assert.equal((await cookies("/elsewhere")).length, 2);
  assert.deepEqual(errors, []);
  assert.deepEqual(await cookies("/taken"), ["sessionId=own"]);
  assert.match(String(errors), /cookie.name/);
  await middleware.close();
});

test("fastify: responses written without Fastify carry the session's cookie", async () => {
  await using site = closing(fastify({ forceCloseConnections: true }), (app) => app.close());
  const app = site.opened;
  await app.register(withFastify, { url: antechamber.url, deadline: 20_000 });
  app.get("/page", (request, reply) => reply.type("application/json").send(jsonOf(sessionOf(request))));
  const pairs = (response: ServerResponse, auth: string) =>
    response.writeHead(200, [["Set-Cookie", auth]] as never).end("done");
  const ways = Object.entries({ ...nodeWays, "writeHead with pairs": pairs });
  for (const [number, [, respond]] of ways.entries()) {
    app.all(`/${number}`, async (request, reply) => {
      const customerId = customerIn(request.url);
      await sessionOf(request)?.identify({ customerId });
      reply.hijack();
      respond(reply.raw, `auth=${customerId}`);
    });
  }
  for (const [path, header] of [
    ["/header", (auth: string) => ({ name: "set-cookie", value: auth })],
    ["/headers", (auth: string) => ({ name: "Set-Cookie", value: [auth, "b=2"] })],
  ] as const) {
    app.all(path, async (request, reply) => {
      const customerId = customerIn(request.url);
      await sessionOf(request)?.identify({ customerId });
      const { name, value } = header(`auth=${customerId}`);
      return reply.header(name, value).redirect("/page", 303);
    });
  }
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  for (const [number, [name]] of ways.entries()) {
    await checkTwoPeople(url, `/${number}`).catch((error: unknown) => {
      throw new Error(`${name}: ${String(error)}`);
    });
  }
  await checkTwoPeople(url, "/header");
  await checkTwoPeople(url, "/headers");
});

test("fastify: responses over HTTP/2 carry the session's cookie, with and without a body", async () => {
  const options = { http2: true, forceCloseConnections: true } as const;
  await using site = closing(fastify(options), (app) => app.close());
  const app = site.opened;
  await app.register(withFastify, { url: antechamber.url, deadline: 20_000 });
  app.get("/reply", () => "done");
  app.get("/empty", (_request, reply) => {
    reply.hijack();
    reply.raw.setHeader("set-cookie", "auth=1");
    reply.raw.end();
  });
  app.get("/head", (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "set-cookie": "auth=1" }).end("done");
  });
  const connected = connectHttp2(await app.listen({ port: 0, host: "127.0.0.1" }));
  await using connection = closing(connected, (client) => client.destroy());
  for (const path of ["/reply", "/empty", "/head"]) {
    const stream = connection.opened.request({ ":path": path });
    const [headers] = (await once(stream, "response")) as [{ "set-cookie"?: string[] }];
    stream.resume();
    const cookies = headers["set-cookie"] ?? [];
    const own = cookies.filter((cookie) => cookie.startsWith("sessionId="));
    assert.equal(own.length, 1, `${path}: ${cookies.join()}`);
    assert.equal(cookies.length, path === "/reply" ? 1 : 2);
    await once(stream, "close");
  }
});

/** The ways to respond with a cookie of the handler's own in a fetch-style handler. */
const fetchWays: Readonly<Record<string, (auth: string) => Response>> = {
  "a cookie": (auth) => new Response("done", { headers: { "Set-Cookie": auth } }),
  several: (auth) =>
    new Response(null, {
      status: 204,
      headers: [
        ["set-cookie", auth],
        ["set-cookie", "b=2"],
      ],
    }),
};

test("hono and fetch: handlers' cookies are sent in addition to the session's cookie", async () => {
  const options = { url: antechamber.url, deadline: 20_000 };
  const withSession = withFetch(options);
  const middleware = withHono(options);
  const ways = Object.entries(fetchWays);

  const respond = async (session: RequestSession | null, url: string): Promise<Response> => {
    const { pathname } = new URL(url);
    if (pathname === "/page") return new Response(jsonOf(session));
    const customerId = customerIn(url);
    await session?.identify({ customerId });
    const [, way] = ways[Number(pathname.slice(1))] ?? [];
    return way?.(`auth=${customerId}`) ?? new Response("none", { status: 404 });
  };
  const handler = withSession((request, { session }) => respond(session, request.url));
  const app = new Hono().use(middleware).all("*", (c) => respond(c.get("session"), c.req.url));
  for (const fetch of [handler, (request: Request) => app.fetch(request)]) {
    const served = await serveFetch((request) => fetch(request));
    await using server = closing(served, ({ close }) => close());
    for (const number of ways.keys()) await checkTwoPeople(server.opened.url, `/${number}`);
  }
  await withSession.close();
  await middleware.close();
});

test("fetch: a response that a handler throws carries the session's cookie", async () => {
  const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
  const redirect = Response.redirect("http://site/page", 303);
  const handler = withSession(() => Promise.reject(redirect));
  const thrown = await handler(new Request("http://site/")).catch((error: unknown) => error);
  assert.ok(thrown instanceof Response);
  assert.equal(thrown.status, 303);
  assert.match(thrown.headers.getSetCookie().join(), /^sessionId=/);
  await withSession.close();
});

test("hono and fetch: a handler that writes to Node's response does not lose the session's cookie", async () => {
  const options = { url: antechamber.url, deadline: 20_000 };
  const withSession = withFetch(options);
  const middleware = withHono(options);
  const respond = async (session: RequestSession | null, url: string, response: ServerResponse) => {
    if (url.includes("/page")) return new Response(jsonOf(session));
    const customerId = customerIn(url);
    await session?.identify({ customerId });
    response.writeHead(200, { "Set-Cookie": `auth=${customerId}` }).end("done");
    return RESPONSE_ALREADY_SENT;
  };
  type Bindings = { outgoing: ServerResponse };
  const handler = withSession((request, { session }, { outgoing }: Bindings) =>
    respond(session, request.url, outgoing),
  );
  const app = new Hono<{ Bindings: Bindings }>()
    .use(middleware)
    .all("*", (c) => respond(c.get("session"), c.req.url, c.env.outgoing));
  for (const fetch of [handler, (request: Request, env: Bindings) => app.fetch(request, env)]) {
    await using site = await listen(getRequestListener(fetch as never, { overrideGlobalObjects: false }));
    await checkTwoPeople(site.url, "/raw");
  }
  await withSession.close();
  await middleware.close();
});

test("hono and fetch: a handler that reuses one response object gives each visitor a session of their own", async () => {
  const options = { url: antechamber.url, deadline: 20_000 };
  const withSession = withFetch(options);
  const middleware = withHono(options);
  const shared = new Response(null, { status: 404 });
  const handler = withSession(() => shared);
  const app = new Hono().use(middleware).all("*", () => shared);
  for (const fetch of [handler, (request: Request) => app.fetch(request)]) {
    const served = await serveFetch((request) => fetch(request));
    await using server = closing(served, ({ close }) => close());
    const visitors = [createVisitor(server.opened.url), createVisitor(server.opened.url)];
    const ids = new Set<string | undefined>();
    for (const visitor of visitors) {
      const page = await visitor.visit("/");
      assert.equal(page.status, 404);
      assert.equal(page.headers.getSetCookie().length, 1);
      ids.add(visitor.cookies.get("sessionId"));
    }
    assert.equal(ids.size, 2);
    assert.deepEqual((await visitors[0]?.visit("/"))?.headers.getSetCookie(), []);
  }
  assert.deepEqual(shared.headers.getSetCookie(), []);
  await withSession.close();
  await middleware.close();
});

test("Response.error() is returned unchanged", async () => {
  const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
  const broken = Response.error();
  assert.equal(await withSession(() => broken)(new Request("http://site/")), broken);
  await withSession.close();
});
