// runs: outside

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import express from "express";
import type { Page } from "playwright-core";
import { sessions } from "../../src/middleware/express.ts";
import type { SessionInfo } from "../../src/protocol.ts";
import { createTransport } from "../../src/transport.ts";
import { openSite, type Site } from "./site.ts";

const session = (page: Page) => page.evaluate<SessionInfo>("client.session()");
const lastYear = "Wed, 01 Jan 2025 00:00:00 GMT";

/** The cache headers of the site's handlers, by the last part of the path. */
const cacheHeaders: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "last-modified": { "last-modified": lastYear },
  public: { "cache-control": "public, max-age=600" },
  private: { "cache-control": "private, max-age=600", expires: "Fri, 01 Jan 2100 00:00:00 GMT" },
  etag: { "cache-control": "no-cache", etag: '"one"' },
};

/** Creates a site with our middleware. `requests` collects the requests that no cache answered. */
function siteWithMiddleware(requests: string[]): (service: string) => RequestListener {
  return (url) => {
    const app = express().use(sessions({ url, deadline: 20_000, record: false }));
    app.get("/api/:kind", (request, response) => {
      requests.push(`${request.params.kind} ${request.headers["if-none-match"] ?? "-"}`);
      response.set(cacheHeaders[request.params.kind] ?? {}).send("articles");
    });
    return app;
  };
}

/** Creates a site that issues a new session with every response, and lets caches store it. */
function carelessSite(requests: string[]): (service: string) => RequestListener {
  return (url) => async (request, response) => {
    const [, , kind = "", replaces = ""] = request.url?.split("/") ?? [];
    requests.push(kind);
    const { sessionId } = await createTransport({ url }).create();
    for (const [name, value] of Object.entries(cacheHeaders[kind] ?? {})) response.setHeader(name, value);
    response.setHeader("gkc-sessionId", sessionId);
    if (replaces) response.setHeader("gkc-replaces", replaces);
    response.end("articles");
  };
}

/**
 * Alice's page is faster than the service: its first request has no session, so the site starts one. She signs in
 * and out; then Ben requests the same path.
 */
async function aliceThenBen(site: Site, kind: string): Promise<Page> {
  const page = await site.open(await site.context(), "/quiet");
  await page.evaluate(`
    window.held = new Promise((resolve) => (window.release = resolve));
    window.client = createClient({ url, fetch: async (input, init) => {
      if (!(input instanceof Request)) await held;
      return fetch(input, init);
    } });`);
  const requestArticles = `client.fetch("/api/${kind}").then((response) => response.text())`;
  assert.equal(await page.evaluate(requestArticles), "articles");
  await page.evaluate("release()");
  const alices = await page.evaluate<SessionInfo>("client.identify({ customerId: 'alice' })");
  await page.evaluate("client.reset()");
  await page.evaluate("client = createClient({ url })");
  const bens = await session(page);
  assert.notEqual(bens.sessionId, alices.sessionId);
  assert.equal(await page.evaluate(requestArticles), "articles");
  const { sessionId, customerId } = await session(page);
  assert.deepEqual([sessionId, customerId], [bens.sessionId, null], kind);
  return page;
}

test("the browser's cache never returns a session that the middleware issued", async () => {
  const requests: string[] = [];
  await using site = await openSite("localhost", { api: siteWithMiddleware(requests) });
  for (const kind of Object.keys(cacheHeaders)) {
    requests.splice(0);
    const page = await aliceThenBen(site, kind);
    assert.deepEqual(requests, [`${kind} -`, `${kind} -`], "the first response was not stored");
    // Ben has a session, so his responses may be cached and contain none.
    const read = `fetch("/api/${kind}").then((r) => r.headers.get("gkc-sessionId"))`;
    assert.equal(await page.evaluate(read), null);
    const isStored = kind !== "etag";
    assert.equal(requests.length, isStored ? 2 : 3, kind);
    // A visitor without a session gets one by the cookie; the cached response stays as it is.
    await page.context().clearCookies();
    assert.equal(await page.evaluate(read), null, "a 304 does not bring one either");
    if (!isStored) assert.equal(requests.at(-1), 'etag "one"');
    await page.context().close();
  }
});

test("a session in a cached response is not used again", async () => {
  const requests: string[] = [];
  await using site = await openSite("localhost", { api: carelessSite(requests) });
  for (const path of ["last-modified/", "public/none", `public/${"x".repeat(24)}`]) {
    requests.splice(0);
    const page = await aliceThenBen(site, path);
    assert.equal(requests.length, 1, "Ben's came from the cache");
    await page.context().close();
  }

  // The cached response has a session that no client here has ever had, as in a shared cache.
  const page = await site.open(await site.context(), "/quiet");
  const read = "fetch('/api/private/none').then((r) => r.headers.get('gkc-sessionId'))";
  const alices = await page.evaluate<string>(read);
  await createTransport({ url: site.antechamber.url }).update(alices, { customerId: "alice" });
  await page.evaluate("window.client = createClient({ url })");
  const bens = await session(page);
  requests.splice(0);
  await page.evaluate("client.fetch('/api/private/none').then((r) => r.text())");
  assert.equal(requests.length, 0, "it came from the cache");
  assert.equal((await session(page)).sessionId, bens.sessionId);
});

test("going back to another person's page does not restore their session", async () => {
  const requests: string[] = [];
  await using site = await openSite("localhost", { api: carelessSite(requests) });
  const page = await site.open(await site.context(), "/quiet/1");
  const visit = `
    window.client = createClient({ url });
    window.read = client.fetch("/api/last-modified/none").then((response) => response.text());
    read.then(() => true)`;
  await page.evaluate(visit);
  await page.evaluate("client.identify({ customerId: 'alice' }).then(() => true)");
  await page.goto(`${site.url}/quiet/2`);
  await page.waitForFunction("window.createClient !== undefined");
  await page.evaluate("window.client = createClient({ url }); client.reset()");
  const bens = await session(page);
  await page.goBack();
  await page.waitForFunction("window.createClient !== undefined");
  await page.evaluate(visit);
  assert.equal(requests.length, 1, "the response came from the cache");
  assert.equal((await session(page)).sessionId, bens.sessionId);
});

test("a page adopts the session that the site starts while the page is open", async () => {
  const requests: string[] = [];
  await using site = await openSite("localhost", { api: siteWithMiddleware(requests) });
  const page = await site.open(await site.context(), "/quiet");
  await page.evaluate("window.client = createClient({ url, cookie: false })");
  const first = await session(page);
  await fetch(`${site.antechamber.url}/sessions/${first.sessionId}`, { method: "DELETE" });
  const given = await page.evaluate("client.fetch('/api/public').then((r) => r.headers.get('gkc-sessionId'))");
  assert.notEqual(given, null);
  assert.equal((await session(page)).sessionId, given);
});
