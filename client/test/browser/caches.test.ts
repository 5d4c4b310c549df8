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
const said: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "last-modified": { "last-modified": lastYear },
  public: { "cache-control": "public, max-age=600" },
  private: { "cache-control": "private, max-age=600", expires: "Fri, 01 Jan 2100 00:00:00 GMT" },
  etag: { "cache-control": "no-cache", etag: '"one"' },
};

/** A site with our middleware; `asked` has the requests that were not answered by a cache. */
function withMiddleware(asked: string[]): (service: string) => RequestListener {
  return (url) => {
    const app = express().use(sessions({ url, deadline: 5000, record: false }));
    app.get("/api/:kind", (request, response) => {
      asked.push(`${request.params.kind} ${request.headers["if-none-match"] ?? "-"}`);
      response.set(said[request.params.kind] ?? {}).send("articles");
    });
    return app;
  };
}

/** A site that issues a new session with every response, and allows caches to store it. */
function withoutCare(asked: string[]): (service: string) => RequestListener {
  return (url) => async (request, response) => {
    const [, , kind = "", replaces = ""] = request.url?.split("/") ?? [];
    asked.push(kind);
    const { sessionId } = await createTransport({ url }).create();
    for (const [name, value] of Object.entries(said[kind] ?? {})) response.setHeader(name, value);
    response.setHeader("gkc-sessionId", sessionId);
    if (replaces) response.setHeader("gkc-replaces", replaces);
    response.end("articles");
  };
}

/**
 * Alice's page is quicker than the service: her first request goes without a session, and the site
 * starts one. She signs in and out; then Ben asks for the same thing.
 */
async function aliceThenBen(site: Site, kind: string): Promise<Page> {
  const page = await site.open(await site.context(), "/quiet");
  await page.evaluate(`
    window.held = new Promise((resolve) => (window.release = resolve));
    window.client = createClient({ url, fetch: async (input, init) => {
      if (!(input instanceof Request)) await held;
      return fetch(input, init);
    } });`);
  const ask = `client.fetch("/api/${kind}").then((response) => response.text())`;
  assert.equal(await page.evaluate(ask), "articles");
  await page.evaluate("release()");
  const alices = await page.evaluate<SessionInfo>("client.identify({ customerId: 'alice' })");
  await page.evaluate("client.reset()");
  await page.evaluate("client = createClient({ url })");
  const bens = await session(page);
  assert.notEqual(bens.sessionId, alices.sessionId);
  assert.equal(await page.evaluate(ask), "articles");
  const { sessionId, customerId } = await session(page);
  assert.deepEqual([sessionId, customerId], [bens.sessionId, null], kind);
  return page;
}

test("the browser's cache never returns a session of the middleware", async () => {
  const asked: string[] = [];
  await using site = await openSite("localhost", { api: withMiddleware(asked) });
  for (const kind of Object.keys(said)) {
    asked.splice(0);
    const page = await aliceThenBen(site, kind);
    assert.deepEqual(asked, [`${kind} -`, `${kind} -`], "the first response was not stored");
    // Ben's responses are cached, as he has a session: and they carry none.
    const read = `fetch("/api/${kind}").then((r) => r.headers.get("gkc-sessionId"))`;
    assert.equal(await page.evaluate(read), null);
    const isStored = kind !== "etag";
    assert.equal(asked.length, isStored ? 2 : 3, kind);
    // A visitor without a session gets one by the cookie; the stored response does not change.
    await page.context().clearCookies();
    assert.equal(await page.evaluate(read), null, "a 304 does not bring one either");
    if (!isStored) assert.equal(asked.at(-1), 'etag "one"');
    await page.context().close();
  }
});

test("a wrongly stored response does not bring a session back", async () => {
  const asked: string[] = [];
  await using site = await openSite("localhost", { api: withoutCare(asked) });
  for (const path of ["last-modified/", "public/none", `public/${"x".repeat(24)}`]) {
    asked.splice(0);
    const page = await aliceThenBen(site, path);
    assert.equal(asked.length, 1, "Ben's came from the cache");
    await page.context().close();
  }

  // A session that no client here has ever had, such as from a shared cache.
  const page = await site.open(await site.context(), "/quiet");
  const read = "fetch('/api/private/none').then((r) => r.headers.get('gkc-sessionId'))";
  const alices = await page.evaluate<string>(read);
  await createTransport({ url: site.antechamber.url }).update(alices, { customerId: "alice" });
  await page.evaluate("window.client = createClient({ url })");
  const bens = await session(page);
  asked.splice(0);
  await page.evaluate("client.fetch('/api/private/none').then((r) => r.text())");
  assert.equal(asked.length, 0, "it came from the cache");
  assert.equal((await session(page)).sessionId, bens.sessionId);
});

test("going back to another person's page does not bring their session back", async () => {
  const asked: string[] = [];
  await using site = await openSite("localhost", { api: withoutCare(asked) });
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
  assert.equal(asked.length, 1, "the response came from the cache");
  assert.equal((await session(page)).sessionId, bens.sessionId);
});

test("a session that the site starts while the page is open is taken over", async () => {
  const asked: string[] = [];
  await using site = await openSite("localhost", { api: withMiddleware(asked) });
  const page = await site.open(await site.context(), "/quiet");
  await page.evaluate("window.client = createClient({ url, cookie: false })");
  const first = await session(page);
  await fetch(`${site.antechamber.url}/sessions/${first.sessionId}`, { method: "DELETE" });
  const given = await page.evaluate(
    "client.fetch('/api/public').then((r) => r.headers.get('gkc-sessionId'))",
  );
  assert.notEqual(given, null);
  assert.equal((await session(page)).sessionId, given);
});
