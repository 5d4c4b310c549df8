// runs: outside

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { eventually } from "../../../server/test/support/eventually.ts";
import type { SessionInfo } from "../../src/protocol.ts";
import { handleOf } from "../../src/session-id.ts";
import { createTransport } from "../../src/transport.ts";
import { openSite, type Site } from "./site.ts";

const session = (page: Page) => page.evaluate<SessionInfo>("client.session()");

/** Waits until a session has `count` records, and returns their paths. */
async function recorded(site: Site, sessionId: string, count: number): Promise<string[]> {
  const transport = createTransport({ url: site.antechamber.url });
  return await eventually(async () => {
    const { records } = await transport.timeline(sessionId, { limit: 1000 });
    const paths = records.flatMap((entry) => (entry.type === "request" ? [entry.path] : []));
    assert.ok(paths.length >= count, `${paths.length} of ${count} records came`);
    return paths;
  });
}

for (const host of ["localhost", "site.test"]) {
  const kind = host === "localhost" ? "with Web Locks" : "without Web Locks, as without TLS";

  test(`tabs that open at once share one session, ${kind}`, async () => {
    await using site = await openSite(host);
    const context = await site.context();
    // A request of the site waits for its session for a second at most, which a busy machine may not keep.
    await context.addInitScript(
      "window.setTimeout = ((real) => (task, ms) => real(task, ms === 1000 ? 60000 : ms))(setTimeout)",
    );
    const tabs = await Promise.all([1, 2, 3].map(() => site.open(context)));
    assert.equal(await tabs[0]?.evaluate("navigator.locks !== undefined"), host === "localhost");
    const sessions = await Promise.all(tabs.map(session));
    const ids = new Set(sessions.map(({ sessionId }) => sessionId));
    assert.equal(ids.size, 1);
    const [id = ""] = ids;
    await Promise.all(tabs.map((tab) => tab.evaluate("first.then(() => true)")));
    const loads = site.seen.filter((line) => line.startsWith("/load"));
    assert.deepEqual(new Set(loads), new Set([`/load ${id} ${id}`]));
    const next = await site.open(context, "/next");
    assert.equal((await session(next)).sessionId, id);
    assert.ok(site.seen.includes(`/next - ${id}`), "the site's server gets the session by cookie");
  });
}

test("a sign-in in one tab is visible in the other, and survives a reload", async () => {
  await using site = await openSite();
  const context = await site.context();
  const [one, other] = [await site.open(context), await site.open(context)];
  const before = await session(other);
  const { sessionId } = await one.evaluate<SessionInfo>("client.identify({ customerId: 'Zoë' })");
  assert.equal(handleOf(sessionId), handleOf(before.sessionId));
  // The tabs are separate processes, so an event between them takes a moment.
  await eventually(async () => {
    assert.partialDeepStrictEqual(await session(other), {
      sessionId,
      customerId: "Zoë",
    });
  });
  const next = await one.evaluate<SessionInfo>("client.identify({ customerId: 'Ben' })");
  assert.notEqual(handleOf(next.sessionId), handleOf(sessionId));
  await one.reload();
  assert.equal((await session(one)).sessionId, next.sessionId);
  await eventually(async () => assert.equal((await session(other)).customerId, "Ben"));
});

test("a refusal in a page is a ProblemError with its code and field", async () => {
  await using site = await openSite();
  const page = await site.open(await site.context());
  await page.evaluate("client.identify({ visitId: 'v1' }).then(() => true)");
  const script = "client.identify({ visitId: 'v2' }).catch((e) => [e.name, e.code, e.problem.field])";
  assert.deepEqual(await page.evaluate(script), ["ProblemError", "already-exists", "visitId"]);
});

test("the last records of a page arrive if it is closed immediately", async () => {
  await using site = await openSite();
  const context = await site.context();
  const page = await site.open(context);
  const { sessionId } = await session(page);
  await page.evaluate("for (let n = 0; n < 30; n++) client.record({ method: 'VIEW', path: '/' + n })");
  await page.close({ runBeforeUnload: true });
  const expected = Array.from({ length: 30 }, (_, n) => `/${n}`);
  assert.deepEqual(await recorded(site, sessionId, 30), expected);
});

test("the last records of a page arrive if the visitor leaves for another site", async () => {
  await using site = await openSite();
  const context = await site.context();
  const page = await site.open(context);
  const { sessionId } = await session(page);
  const filler = "x".repeat(700);
  await page.evaluate(
    `for (let n = 0; n < 45; n++) client.record({ method: 'VIEW', path: '/' + n, attributes: { a: '${filler}' } })`,
  );
  await page.goto("about:blank");
  const paths = await recorded(site, sessionId, 45);
  const expected = Array.from({ length: 45 }, (_, n) => `/${n}`);
  assert.deepEqual(paths.toSorted(), expected.toSorted());
});

test("a page has one session if storage and cookies are blocked", async () => {
  await using site = await openSite();
  const page = await site.open(await site.context({ blocked: true }));
  const { sessionId } = await session(page);
  assert.deepEqual(await page.evaluate("first.then(([a, b]) => [a.sessionId, b.sessionId])"), [sessionId, sessionId]);
  const signedIn = await page.evaluate<SessionInfo>("client.identify({ customerId: 'c' })");
  assert.deepEqual(await session(page), signedIn);
  assert.deepEqual([handleOf(signedIn.sessionId), signedIn.customerId], [handleOf(sessionId), "c"]);
  await page.evaluate("client.record({ method: 'VIEW', path: '/p' }); client.flush()");
  assert.deepEqual(await recorded(site, signedIn.sessionId, 1), ["/p"]);
});

test("the page uses the session of a cookie set by the site's server", async () => {
  await using site = await openSite();
  const context = await site.context();
  const given = await createTransport({ url: site.antechamber.url }).create();
  await context.addCookies([{ name: "sessionId", value: given.sessionId, url: site.url }]);
  assert.equal((await session(await site.open(context))).sessionId, given.sessionId);
});

test("the browser stores only the session's id, and nothing after a reset", async () => {
  await using site = await openSite();
  const page = await site.open(await site.context());
  await page.evaluate("client.identify({ customerId: 'secret-customer' }).then(() => true)");
  const kept = await page.evaluate<string>("JSON.stringify(localStorage) + document.cookie");
  assert.ok(kept.includes((await session(page)).sessionId));
  assert.ok(!kept.includes("secret-customer"));
  await page.evaluate("client.reset()");
  const after = await page.evaluate<string>("JSON.stringify(localStorage) + document.cookie");
  assert.ok(!after.includes("sessionId"));
});

test("signing out in one tab ends the session in all tabs and on the server", async () => {
  await using site = await openSite();
  const context = await site.context();
  const [one, other] = [await site.open(context), await site.open(context)];
  const { sessionId } = await one.evaluate<SessionInfo>("client.identify({ customerId: 'Zoë' })");
  await eventually(async () => assert.equal((await session(other)).sessionId, sessionId));
  assert.equal(await one.evaluate("client.signOut()"), true);
  assert.equal(await createTransport({ url: site.antechamber.url }).end(sessionId), false, "it has ended already");
  await eventually(async () => assert.equal((await session(other)).customerId, null));
  assert.equal((await session(one)).sessionId, (await session(other)).sessionId);
});

test("a redirect of the site to another origin does not take the session along", async () => {
  const received: (string | undefined)[] = [];
  const stranger = createServer((request, response) => {
    received.push(request.headers["gkc-sessionid"]?.toString() ?? request.headers["access-control-request-headers"]);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "gkc-sessionid");
    response.end("stranger");
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  const { port } = stranger.address() as AddressInfo;
  await using site = await openSite("localhost", {
    api: () => (request, response) => {
      const isAway = request.url?.endsWith("/away");
      response.writeHead(302, { location: isAway ? `http://127.0.0.1:${port}/` : "/landing" }).end();
    },
  });
  const page = await site.open(await site.context());
  await page.evaluate("first.then(() => true)");
  const text = (path: string) =>
    page.evaluate<string>(`client.fetch("${path}").then((response) => response.text(), () => "failed")`);
  assert.equal(await text("/api/away"), "failed");
  assert.deepEqual(received, []);
  assert.match(await text("/api/within"), /Site/);
  assert.match(site.seen.at(-1) ?? "", /^\/landing [\w-]{40} /);
  await new Promise((resolve) => stranger.close(resolve));
});
