import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../server/test/support/eventually.ts";
import { serve } from "../../../server/test/support/in-process.ts";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { createTransport } from "../../src/transport.ts";
import { COOKIE, createBrowser, dataOf } from "./browser.ts";
import { startExpress } from "./sites/express.ts";
import { startFastify } from "./sites/fastify.ts";

const antechamber = oneServer();

/* The stores for express-session and @fastify/session, as applications notice them. */

/** Reads the data of a session from Antechamber itself. */
async function stored(url: string, sessionId: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/sessions/${sessionId}/data`);
  return (await response.json()) as Record<string, unknown>;
}

/** Returns a promise, and the function that resolves it. */
function signal(): [Promise<void>, () => void] {
  let resolve: (() => void) | undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return [promise, () => resolve?.()];
}

for (const [name, start] of Object.entries({ "express-session": startExpress, "@fastify/session": startFastify })) {
  test(`${name}: data of a session are there at the next request, and are the data of the session of Antechamber`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    assert.deepEqual(await browser.visit(), {});
    assert.equal(browser.cookie, "", "a visitor without data gets no cookie");
    let id = "";
    await browser.visit((visit) => {
      id = visit.id();
      Object.assign(visit.session, { cart: ["apples"], user: { name: "Anna", since: new Date(0) } });
    });
    const data = { cart: ["apples"], user: { name: "Anna", since: "1970-01-01T00:00:00.000Z" } };
    assert.deepEqual(await browser.visit(), data);
    assert.equal(await browser.visit((visit) => visit.id()), id);
    assert.deepEqual(await stored(antechamber.url, id), data);
    await browser.visit(({ session }) => {
      delete session["cart"];
      (session["user"] as Record<string, unknown>)["name"] = "Berta";
    });
    assert.deepEqual(await stored(antechamber.url, id), { user: { ...data.user, name: "Berta" } });
  });

  test(`${name}: requests at the same time that change different members do not undo each other`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    await browser.visit(({ session }) => Object.assign(session, { counts: { all: 0 } }) && null);
    let arrived = 0;
    const [all, release] = signal();
    const count = 50;
    site.handle = async ({ session }) => {
      const own = arrived++;
      if (arrived === count) release();
      await all;
      session[`step${own}`] = own;
      (session["counts"] as Record<string, unknown>)[own] = true;
      if (own % 10 === 0) session[`empty${own}`] = null;
      return null;
    };
    const results = await Promise.all(Array.from({ length: count }, () => browser.send()));
    assert.deepEqual(
      results,
      Array.from({ length: count }, () => null),
    );
    const data = (await browser.visit()) as { counts: object };
    assert.equal(Object.keys(data).length, 1 + count + count / 10);
    assert.equal(Object.keys(data.counts).length, 1 + count);
  });

  test(`${name}: null, undefined and names such as __proto__ arrive as they were stored`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    let id = "";
    await browser.visit((visit) => {
      id = visit.id();
      Object.assign(visit.session, { user: null, cart: { coupon: null, gone: undefined }, list: [null, { a: null }] });
      return null;
    });
    const data = { user: null, cart: { coupon: null }, list: [null, { a: null }] };
    assert.deepEqual(await browser.visit(), data);
    // Another application that shares the data.
    const hostile = '{"__proto__":{"isAdmin":true},"save":1,"reload":2,"constructor":3,"inner":{"__proto__":{"a":1}}}';
    await fetch(`${antechamber.url}/sessions/${id}/data`, {
      method: "PATCH",
      headers: { "content-type": "application/merge-patch+json" },
      body: hostile,
    });
    await browser.visit(({ session }) => {
      assert.equal(session["isAdmin"], undefined);
      assert.equal(typeof session["save"], "function");
      assert.equal(typeof session["reload"], "function");
      session["user"] = "anna";
      return null;
    });
    assert.equal(Object.hasOwn(Object.prototype, "isAdmin"), false);
    const expected = { ...data, user: "anna", ...(JSON.parse(hostile) as object) };
    assert.equal(JSON.stringify(sorted(await stored(antechamber.url, id))), JSON.stringify(sorted(expected)));
  });

  test(`${name}: an id that Antechamber has not made is not adopted, even if it is signed`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    await browser.visit(({ session }) => Object.assign(session, { a: 1 }) && null);
    const [, signature = ""] = browser.cookie.split(".");
    const before = browser.cookie;
    for (const id of ["A".repeat(40), "x", "../end", "%00", ""]) {
      browser.cookie = `${COOKIE}=s%3A${id}.${signature}`;
      const used = await browser.visit(({ session, id: idOf }) => Object.assign(session, { b: 2 }) && idOf());
      assert.match(String(used), /^[\w-]{40}$/);
      assert.notEqual(used, id);
    }
    browser.cookie = before;
    assert.deepEqual(await browser.visit(), { a: 1 });
  });

  test(`${name}: regenerating an anonymous session keeps its timeline, and the old id opens nothing`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    const before = await browser.visit(({ session, id }) => Object.assign(session, { cart: 1 }) && id());
    const old = browser.cookie;
    const after = await browser.visit(async (visit) => {
      const session = await visit.regenerate();
      assert.deepEqual(dataOf(session), {});
      session["user"] = "anna";
      return visit.id();
    });
    assert.notEqual(after, before);
    assert.equal(String(after).slice(0, 24), String(before).slice(0, 24));
    assert.deepEqual(await browser.visit(), { user: "anna" });
    assert.deepEqual(await stored(antechamber.url, String(after)), { user: "anna" });
    // The attacker who has planted the old cookie.
    browser.cookie = old;
    assert.deepEqual(await browser.visit(), {});
    await browser.visit(({ session }) => Object.assign(session, { user: "attacker" }) && null);
    assert.deepEqual(await stored(antechamber.url, String(after)), { user: "anna" });
  });

  test(`${name}: regenerating the session of a customer ends it`, async () => {
    await using site = await start({ url: antechamber.url });
    const transport = createTransport({ url: antechamber.url });
    const browser = createBrowser(site);
    const before = await browser.visit(async ({ session, id }) => {
      session["user"] = "anna";
      await transport.update(id(), { customerId: "anna" });
      return id();
    });
    const after = await browser.visit(async (visit) => {
      (await visit.regenerate())["seen"] = true;
      return visit.id();
    });
    assert.equal((await transport.retrieve(String(after))).customerId, null);
    assert.notEqual(String(after).slice(0, 24), String(before).slice(0, 24));
    assert.notEqual((await transport.retrieve(String(before))).sessionId, before);
    assert.deepEqual(await browser.visit(), { seen: true });
  });

  test(`${name}: destroying ends the session, and a request in progress does not bring it back`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    const id = String(await browser.visit((visit) => Object.assign(visit.session, { a: 1 }) && visit.id()));
    const { cookie } = browser;
    const [arrived, arrive] = signal();
    const [left, leave] = signal();
    const slow = browser.visit(async ({ session }) => {
      arrive();
      await left;
      session["b"] = 2;
      return null;
    });
    await arrived;
    await browser.visit((visit) => visit.destroy());
    leave();
    await slow;
    browser.cookie = cookie;
    assert.deepEqual(await browser.visit(), {});
    assert.equal((await fetch(`${antechamber.url}/sessions/${id}/data`)).status, 404);
  });

  test(`${name}: changes made with an id that another request has replaced are reported, not dropped silently`, async (context) => {
    const written = context.mock.method(console, "warn", () => undefined);
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    const id = String(await browser.visit((visit) => Object.assign(visit.session, { a: 1 }) && visit.id()));
    const [arrived, arrive] = signal();
    const [left, leave] = signal();
    const slow = createBrowser(site, browser.cookie).visit(async ({ session }) => {
      arrive();
      await left;
      session["b"] = 2;
      return null;
    });
    await arrived;
    await browser.visit(async (visit) => Object.assign(await visit.regenerate(), { user: "anna" }) && null);
    assert.equal(written.mock.callCount(), 0);
    leave();
    await slow;
    assert.deepEqual(await browser.visit(), { user: "anna" });
    assert.equal(written.mock.callCount(), 1);
    const line = String(written.mock.calls[0]?.arguments[0]);
    assert.match(line, /not saved: it has ended, or another request has given it a new id/);
    assert.ok(line.includes(id.slice(0, 24)) && !line.includes(id));
  });

  test(`${name}: reloading shows what another request has stored, and saving sends only own changes`, async () => {
    await using site = await start({ url: antechamber.url });
    const browser = createBrowser(site);
    const id = String(await browser.visit((visit) => Object.assign(visit.session, { a: 1 }) && visit.id()));
    const patch = (body: string) =>
      fetch(`${antechamber.url}/sessions/${id}/data`, {
        method: "PATCH",
        headers: { "content-type": "application/merge-patch+json" },
        body,
      });
    await browser.visit(async (visit) => {
      await patch('{"a":2,"b":3}');
      const session = await visit.reload();
      assert.deepEqual(dataOf(session), { a: 2, b: 3 });
      await patch('{"a":4}');
      session["c"] = 5;
      await visit.save();
      return null;
    });
    assert.deepEqual(await browser.visit(), { a: 4, b: 3, c: 5 });
  });

  test(`${name}: the cookie has the attributes of the application, and those that a handler gives to one session`, async () => {
    await using site = await start({ url: antechamber.url, cookie: { maxAge: 60_000 }, rolling: true });
    const browser = createBrowser(site);
    const lifetime = () => Date.parse(/Expires=([^;]+)/.exec(browser.attributes)?.[1] ?? "") - Date.now();
    let id = "";
    await browser.visit((visit) => {
      id = visit.id();
      visit.session["a"] = 1;
      return null;
    });
    await browser.visit();
    assert.ok(Math.abs(lifetime() - 60_000) < 30_000, browser.attributes);
    assert.deepEqual(await stored(antechamber.url, id), { a: 1 });
    await browser.visit(({ session }) => {
      (session["cookie"] as { maxAge: number }).maxAge = 600_000;
      session["remember"] = true;
      return null;
    });
    for (let request = 0; request < 3; request++) {
      await browser.visit();
      assert.ok(Math.abs(lifetime() - 600_000) < 30_000, browser.attributes);
    }
    const { cookie } = await stored(antechamber.url, id);
    assert.equal((cookie as { originalMaxAge: number }).originalMaxAge, 600_000);
  });

  test(`${name}: a cookie that outlives the sessions is reported once, with the settings to change`, async (context) => {
    const written = context.mock.method(console, "warn", () => undefined);
    for (const [maxAge, lines] of [
      [1_800_000, 0],
      [14 * 24 * 3_600_000, 1],
    ] as const) {
      await using site = await start({ url: antechamber.url, cookie: { maxAge } });
      for (let request = 0; request < 3; request++) await createBrowser(site).visit();
      assert.equal(written.mock.callCount(), lines);
    }
    const line = String(written.mock.calls[0]?.arguments[0]);
    assert.match(line, /1209600 s .*ends after 1800 s .*anonymousIdle and recognizedIdle/);
  });

  test(`${name}: many first requests at the same time all get sessions of their own`, async () => {
    await using site = await start({ url: antechamber.url });
    site.handle = ({ session, id }) => Object.assign(session, { own: id() }) && id();
    const ids = await Promise.all(Array.from({ length: 200 }, () => createBrowser(site).send()));
    assert.equal(new Set(ids).size, 200);
    for (const id of ids) assert.match(JSON.stringify(id), /^"[\w-]{40}"$/);
  });

  test(`${name}: while Antechamber is down, visitors without a cookie see pages, and storing data fails`, async (context) => {
    const warned = context.mock.method(console, "warn", () => undefined);
    await using server = await serve();
    await using site = await start({ url: server.url });
    const known = createBrowser(site);
    await known.visit(({ session }) => Object.assign(session, { a: 1 }) && null);
    await server.stop();
    const visitor = createBrowser(site);
    assert.deepEqual(await visitor.visit(), {});
    assert.match(JSON.stringify(await known.visit()), /network|no response|unavailable/);
    // New sessions have ids that were requested before, until these are used up.
    await until("a warning", async () => Boolean(await createBrowser(site).visit()) && warned.mock.callCount() > 0);
    // The stores have no option `onError`, which the middleware advises.
    const line = String(warned.mock.calls[0]?.arguments[0]);
    assert.match(line, /^antechamber: .*\. New visitors get a session that cannot be saved\.$/);
  });
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, each]) => [name, sorted(each)]);
}
