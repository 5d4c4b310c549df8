import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import express, { type Request } from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessions as withExpress } from "../../src/middleware/express.ts";
import { sessions as withFastify } from "../../src/middleware/fastify.ts";
import { sessions as withFetch } from "../../src/middleware/fetch.ts";
import { sessions as withHono } from "../../src/middleware/hono.ts";
import { createTransport } from "../../src/transport.ts";
import { serveFetch } from "./sites/fetch-server.ts";

const antechamber = oneServer();

/** The cache headers of the handlers. */
const cacheHeaders = {
  "cache-control": "public, max-age=600",
  "cdn-cache-control": "max-age=600",
  "surrogate-control": "max-age=600",
  "x-accel-expires": "600",
  expires: "Fri, 01 Jan 2100 00:00:00 GMT",
  "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
  etag: '"one"',
};
/** The headers that a response with a new session must not have. */
const removedHeaders = Object.keys(cacheHeaders).slice(1, 5);

interface Site extends AsyncDisposable {
  readonly url: string;
}
type StartSite = (url: string) => Promise<Site>;

/** Sites that respond with 200 and `cacheHeaders`, or with 304 if the browser has stored the page. */
const sites: Readonly<Record<string, StartSite>> = {
  async express(url) {
    const middleware = withExpress({ url, deadline: 20_000 });
    const app = express().use(middleware);
    const statusOf = (request: Request) => (request.headers["if-none-match"] ? 304 : 200);
    app.get("/set", (request, response) => {
      response.set(cacheHeaders).status(statusOf(request)).send("page");
    });
    app.get("/head", (request, response) => {
      const status = statusOf(request);
      response.writeHead(status, cacheHeaders).end(status === 200 ? "page" : undefined);
    });
    const server = createServer(app).listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        server.close();
        await middleware.close();
      },
    };
  },
  async fastify(url) {
    const app = fastify({ forceCloseConnections: true });
    await app.register(withFastify, { url, deadline: 20_000 });
    for (const path of ["/set", "/head"]) {
      app.get(path, (request, reply) => {
        if (!request.headers["if-none-match"]) return reply.headers(cacheHeaders).send("page");
        return reply.code(304).headers(cacheHeaders).send();
      });
    }
    const address = await app.listen({ port: 0, host: "127.0.0.1" });
    return { url: address, [Symbol.asyncDispose]: () => app.close() };
  },
  async hono(url) {
    const middleware = withHono({ url, deadline: 20_000 });
    const app = new Hono().use(middleware);
    for (const path of ["/set", "/head"]) {
      app.get(path, (c) =>
        c.req.header("if-none-match") ? c.body(null, 304, cacheHeaders) : c.text("page", 200, cacheHeaders),
      );
    }
    const server = await serveFetch((request, env) => app.fetch(request, env));
    return {
      url: server.url,
      async [Symbol.asyncDispose]() {
        await server.close();
        await middleware.close();
      },
    };
  },
  async fetch(url) {
    const withSession = withFetch({ url, deadline: 20_000 });
    const server = await serveFetch(
      withSession((request, _context, _environment?: object) =>
        request.headers.has("if-none-match")
          ? new Response(null, { status: 304, headers: cacheHeaders })
          : new Response("page", { headers: cacheHeaders }),
      ),
    );
    return {
      url: server.url,
      async [Symbol.asyncDispose]() {
        await server.close();
        await withSession.close();
      },
    };
  },
};

for (const [framework, start] of Object.entries(sites)) {
  test(`${framework}: a response with a new session forbids caching`, async () => {
    await using site = await start(antechamber.url);
    const { sessionId: known } = await createTransport({ url: antechamber.url }).create();
    for (const path of ["/set", "/head"]) {
      const first = await fetch(site.url + path);
      assert.equal(first.headers.get("cache-control"), "no-store");
      for (const name of removedHeaders) assert.equal(first.headers.get(name), null, name);
      assert.match(first.headers.get("gkc-sessionId") ?? "", /^[\w-]{40}$/);
      assert.equal(first.headers.get("gkc-replaces"), "none");

      const again = await fetch(site.url + path, { headers: { "gkc-sessionId": known } });
      assert.equal(again.headers.get("gkc-sessionId"), null);
      assert.equal(again.headers.get("gkc-replaces"), null);
      for (const [name, value] of Object.entries(cacheHeaders)) {
        assert.equal(again.headers.get(name), value, `${name} is unchanged in a response without a session`);
      }

      const unknown = `${known.slice(0, -1)}${known.endsWith("A") ? "B" : "A"}`;
      const other = await fetch(site.url + path, { headers: { "gkc-sessionId": unknown } });
      assert.notEqual(other.headers.get("gkc-sessionId"), null);
      assert.equal(other.headers.get("gkc-replaces"), unknown.slice(0, 24));
    }
  });

  test(`${framework}: a 304 gives the visitor a cookie, but adds no session to the stored response`, async () => {
    await using site = await start(antechamber.url);
    for (const path of ["/set", "/head"]) {
      const response = await fetch(site.url + path, { headers: { "if-none-match": '"one"' } });
      assert.equal(response.status, 304);
      assert.equal(response.headers.get("gkc-sessionId"), null);
      assert.equal(response.headers.get("gkc-replaces"), null);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.getSetCookie().length, 1);
    }
  });
}
