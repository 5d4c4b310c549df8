// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { oneServer } from "../../server/test/support/one-server.ts";
import { type Client, createClient } from "../src/client.ts";
import { handleOf } from "../src/session-id.ts";
import { createTransport, type Fetch } from "../src/transport.ts";
import { createWebStorage, openBrowser, openStorage } from "./fake-browser.ts";
import { identified } from "./identified.ts";

const antechamber = oneServer();

/** Creates a `fetch` whose responses wait while it is closed. */
function createGatedFetch() {
  let isOpen = Promise.resolve();
  let open = () => {};
  let arrived = () => {};
  let waiting = new Promise<void>((resolve) => (arrived = resolve));
  const gatedFetch: Fetch = async (input, init) => {
    const response = await fetch(input, init);
    arrived();
    await isOpen;
    return response;
  };
  return {
    fetch: gatedFetch,
    close() {
      waiting = new Promise((resolve) => (arrived = resolve));
      isOpen = new Promise((resolve) => (open = resolve));
    },
    /** Resolves when a response is waiting. */
    responseWaits: () => waiting,
    open: () => open(),
  };
}

const customerIn = async (client: Client) => (await client.session()).customerId;

for (const where of ["this tab", "another tab"]) {
  test(`a session that is being requested does not survive a reset in ${where}`, async () => {
    const gate = createGatedFetch();
    const storage = createWebStorage();
    const tab = createClient({ url: antechamber.url, storage, fetch: gate.fetch });
    const other = createClient({ url: antechamber.url, storage });
    const alices = await identified(other, { customerId: "alice" });
    gate.close();
    const asking = tab.session();
    await gate.responseWaits();
    (where === "this tab" ? tab : other).reset();
    gate.open();
    const next = await asking;
    assert.equal(next.customerId, null, "a call made before the reset gets the new session");
    assert.notEqual(next.sessionId, alices.sessionId);
    assert.equal((await tab.session()).sessionId, next.sessionId);
    assert.equal((await other.session()).sessionId, next.sessionId);
  });

  test(`a sign-in in progress has no effect after a reset in ${where}`, async () => {
    const gate = createGatedFetch();
    const storage = createWebStorage();
    const tab = createClient({ url: antechamber.url, storage, fetch: gate.fetch });
    const other = createClient({ url: antechamber.url, storage });
    for (const isFirst of [true, false]) {
      gate.close();
      const signIn = assert.rejects(tab.identify({ customerId: "alice" }), { code: "reset" });
      await gate.responseWaits();
      (where === "this tab" ? tab : other).reset();
      gate.open();
      await signIn;
      assert.equal(await customerIn(other), null, isFirst ? "without a session" : "with one");
      assert.equal(await customerIn(tab), null);
    }
  });
}

test("records of a visitor who was forgotten before they had a session are discarded", async () => {
  const lost: [string, number][] = [];
  const client = createClient({
    url: antechamber.url,
    storage: false,
    onError: (error, count) => void lost.push([(error as { code: string }).code, count]),
  });
  client.record([
    { method: "VIEW", path: "/alices/1" },
    { method: "VIEW", path: "/alices/2" },
  ]);
  client.reset();
  client.record({ method: "VIEW", path: "/bobs" });
  const { records } = await client.timeline();
  assert.deepEqual(
    records.flatMap((entry) => (entry.type === "request" ? [entry.path] : [])),
    ["/bobs"],
  );
  assert.deepEqual(lost, [["reset", 2]]);
});

test("a forgotten session does not come back as the option sessionId of an old page", async () => {
  const storage = createWebStorage();
  const client = createClient({ url: antechamber.url, storage });
  const { sessionId } = await client.session();
  client.reset();
  const next = createClient({ url: antechamber.url, storage, sessionId });
  assert.notEqual((await next.session()).sessionId, sessionId);
  const given = await createTransport({ url: antechamber.url }).create();
  const fresh = createClient({ url: antechamber.url, storage, sessionId: given.sessionId });
  assert.equal((await fresh.session()).sessionId, given.sessionId);
});

const sessionId = (letter: string) => letter.repeat(40);

for (const closed of [0, 1]) {
  const who = closed === 0 ? "the tab that was reset" : "the tab that wrote it";
  test(`a write by a tab that has not seen a reset is undone by ${who}`, () => {
    const browser = openBrowser({ storage: "slow", locks: true });
    const [late, reset] = [browser.openTab(), browser.openTab()].map((page) => openStorage(page));
    assert.ok(late && reset);
    const deliver = (tab: number) => {
      while (browser.deliver(tab));
    };
    late.write(sessionId("a"));
    deliver(1);
    assert.ok(reset.read().startsWith(sessionId("a")));
    reset.reset();
    late.write(sessionId("b"));
    // Tab `closed` gets no storage event, as if it were already closed.
    deliver(1 - closed);
    const rest = [late, reset][1 - closed];
    assert.equal(rest?.read(), "");
    assert.equal(openStorage(browser.openTab()).read(), "");
  });
}

test("a cookie that a late response sets does not bring a forgotten session back", () => {
  const browser = openBrowser({ storage: "works", locks: true });
  const storage = openStorage(browser.openTab());
  storage.write(sessionId("a"));
  storage.reset();
  browser.cookies.set("sessionId", sessionId("a"));
  assert.equal(storage.read(), "");
  assert.equal(browser.cookies.has("sessionId"), false);
  const next = storage.write(sessionId("b"));
  // The id of session "a" after a rotation: it begins with the same handle.
  browser.cookies.set("sessionId", handleOf(sessionId("a")).padEnd(40, "r"));
  assert.equal(storage.read(), next);
  assert.equal(browser.cookies.get("sessionId"), sessionId("b"));
  browser.cookies.set("sessionId", sessionId("c"));
  assert.equal(storage.read(), sessionId("c"), "a new session from the site's server is used");
});

test("a site that clears its storage after a reset does not undo it", () => {
  const browser = openBrowser({ storage: "works", locks: true });
  const pages = [browser.openTab(), browser.openTab()];
  const [one, other] = pages.map((page) => openStorage(page));
  assert.ok(one && other);
  one.write(sessionId("a"));
  const before = other.resetAt();
  one.reset();
  pages[0]?.localStorage?.removeItem("antechamber.session");
  for (const storage of [one, other, openStorage(browser.openTab())]) {
    assert.ok(storage.resetAt() > before);
    assert.equal(storage.read(), "");
  }
});

test("a reset reaches the other tabs if there are only cookies", () => {
  const browser = openBrowser({ storage: "blocked", locks: false });
  const storages = [1, 2].map(() => openStorage(browser.openTab()));
  const [one, other] = storages;
  assert.ok(one && other);
  one.write(sessionId("a"));
  assert.equal(other.read(), sessionId("a"));
  const before = other.resetAt();
  other.write(sessionId("a"));
  one.reset();
  assert.notEqual(other.resetAt(), before);
  assert.equal(other.read(), "");
});

test("a cookie of another path or domain that cannot be removed is ignored after a write", () => {
  const browser = openBrowser({ storage: "works", locks: true });
  const page = browser.openTab();
  // Simulates a cookie that script cannot replace.
  Object.defineProperty(page.document, "cookie", {
    get: () => `sessionId=${sessionId("d")}`,
    set: (_line: string) => {},
  });
  const storage = openStorage(page);
  assert.equal(storage.read(), sessionId("d"));
  const entry = storage.write(sessionId("a"));
  assert.equal(storage.read(), entry);
});
