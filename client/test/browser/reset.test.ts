// runs: outside

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page, Route } from "playwright-core";
import { eventually } from "../../../server/test/support/eventually.ts";
import type { SessionInfo } from "../../src/protocol.ts";
import { openSite, type Site } from "./site.ts";

const session = (page: Page) => page.evaluate<SessionInfo>("client.session()");

/** Delays the service's responses to a page until `release` is called. */
async function holdResponses(page: Page, site: Site) {
  let count = 0;
  let release = () => {};
  const isReleased = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(`${site.antechamber.url}/**`, async (route: Route) => {
    const response = await route.fetch();
    count += 1;
    await isReleased;
    await route.fulfill({ response });
  });
  return {
    /** Resolves when a response is waiting. */
    arrived: () => eventually(async () => assert.ok(count > 0)),
    release,
  };
}

for (const host of ["localhost", "site.test"]) {
  const kind = host === "localhost" ? "with Web Locks" : "without Web Locks";

  test(`a reset in one tab ends calls in progress in another tab, ${kind}`, async () => {
    await using site = await openSite(host);
    const context = await site.context();
    const [one, other] = [await site.open(context), await site.open(context)];
    await Promise.all([one, other].map((tab) => tab.evaluate("first.then(() => true)")));

    const signIn = await holdResponses(other, site);
    const outcome = other.evaluate("client.identify({ customerId: 'alice' }).then(() => 'signed in', (e) => e.code)");
    await signIn.arrived();
    await resetIn(one, other);
    signIn.release();
    assert.equal(await outcome, "reset");
    for (const tab of [one, other]) assert.equal((await session(tab)).customerId, null);

    const alices = await one.evaluate<SessionInfo>("client.identify({ customerId: 'alice' })");
    await other.evaluate("client = createClient({ url })");
    await other.unroute(`${site.antechamber.url}/**`);
    const loading = await holdResponses(other, site);
    const asking = session(other);
    await loading.arrived();
    await resetIn(one, other);
    loading.release();
    const next = await asking;
    assert.equal(next.customerId, null, "a call from before the reset gets the new session");
    assert.notEqual(next.sessionId, alices.sessionId);
    const ids = await Promise.all([one, other].map(session));
    assert.deepEqual(
      ids.map(({ sessionId }) => sessionId),
      [next.sessionId, next.sessionId],
    );
  });
}

test("a page restored from the back/forward cache does not have the session of before the reset", async () => {
  await using site = await openSite("localhost", { without: ["--disable-back-forward-cache"] });
  const page = await site.open(await site.context(), "/quiet/1");
  await page.evaluate(`
    window.client = createClient({ url });
    addEventListener("pageshow", (event) => (window.wasPersisted = event.persisted));`);
  await page.evaluate("client.identify({ customerId: 'alice' }).then(() => true)");
  await page.goto(`${site.url}/quiet/2`);
  await page.waitForFunction("window.createClient !== undefined");
  await page.evaluate("createClient({ url }).reset()");
  await page.goBack({ waitUntil: "commit" });
  await page.waitForFunction("window.wasPersisted !== undefined");
  assert.equal(await page.evaluate("wasPersisted"), true);
  assert.equal((await session(page)).customerId, null);
});

/** Resets the client in one tab, and waits until the browser shows the other tab the changed storage. */
async function resetIn(tab: Page, other: Page): Promise<void> {
  const before = await other.evaluate<string>("JSON.stringify(localStorage)");
  await tab.evaluate("client.reset()");
  await other.waitForFunction(`JSON.stringify(localStorage) !== ${JSON.stringify(before)}`);
}

/** Returns a script that fills the page's `localStorage`, except for `room` characters. */
const fillScript = (room: number) => `
  localStorage.clear();
  let text = "x".repeat(2 ** 22), key = "filler";
  for (let at = 0; text.length > 0; ) {
    try { localStorage.setItem(key + at, text); at++; } catch { text = text.slice(text.length / 2 + 0.5); }
  }
  for (let n = 0; n < ${room}; ) {
    const last = Object.keys(localStorage).find((key) => localStorage[key].length > 0);
    const cut = Math.min(${room} - n, localStorage[last].length);
    localStorage[last] = localStorage[last].slice(cut);
    n += cut;
  }`;

for (const host of ["localhost", "site.test"]) {
  test(`a page whose localStorage is full has one session, on ${host}`, async () => {
    await using site = await openSite(host);
    for (const [cookie, room] of [
      ["none", 0],
      ["none", 40],
      ["script", 40],
      ["server", 40],
    ] as const) {
      const context = await site.context();
      const httpOnly = {
        name: "sessionId",
        value: "x".repeat(40),
        url: site.url,
        httpOnly: true,
      };
      if (cookie === "server") await context.addCookies([httpOnly]);
      const page = await site.open(context, "/quiet");
      await page.evaluate(fillScript(room));
      await page.evaluate(`window.client = createClient({ url, cookie: ${cookie !== "none"} })`);
      const ids = new Set<string>();
      for (let n = 0; n < 3; n++) ids.add((await session(page)).sessionId);
      assert.equal(ids.size, 1, `cookie of ${cookie}, room for ${room} characters`);
      const handles = [...ids].map((id) => id.slice(0, 24));
      const customer = "client.identify({ customerId: 'c' }).then((s) => s.sessionId)";
      const identified = await page.evaluate<string>(customer);
      assert.deepEqual(handles, [identified.slice(0, 24)]);
      assert.equal((await session(page)).sessionId, identified);
      await page.evaluate("client.reset()");
      const next = await session(page);
      assert.equal(next.customerId, null);
      assert.equal((await session(page)).sessionId, next.sessionId);
      await context.close();
    }
  });
}
