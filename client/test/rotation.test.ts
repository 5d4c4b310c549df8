// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../server/test/support/eventually.ts";
import { type Client, createClient } from "../src/client.ts";
import { handleOf } from "../src/session-id.ts";
import { createTransport, type Fetch } from "../src/transport.ts";
import { createVisitorClient } from "../src/visitor-client.ts";
import { assertMembers } from "./assert-members.ts";
import { type BrowserOptions, createWebStorage, openBrowser, openStorage } from "./fake-browser.ts";
import { identified } from "./identified.ts";
import { startFaultyProxy } from "./middleware/faulty-proxy.ts";
import { serveRotating } from "./rotating-service.ts";
import { createRandom, openWorld, SERVICE, SITE, settle, shown, withoutDelays } from "./world.ts";

// These tests use a service in memory (rotating-service.ts).

const LONG = Boolean(process.env["ANTECHAMBER_LONG"]);
const GRACE_MS = 10_000;

type Choose = (bound: number) => number;

interface Setup extends BrowserOptions {
  readonly cookie: boolean;
}

const setups: readonly Setup[] = [
  { storage: "works", locks: true, cookie: true },
  { storage: "works", locks: true, cookie: false },
  { storage: "works", locks: false, cookie: true },
  { storage: "slow", locks: true, cookie: true },
  { storage: "slow", locks: true, cookie: false },
  { storage: "full", locks: true, cookie: true },
  { storage: "blocked", locks: false, cookie: true },
];
const nameOf = ({ storage, locks, cookie }: Setup) =>
  `storage ${storage}, ${locks ? "" : "no "}locks, ${cookie ? "" : "no "}cookie`;

/** The part of the site that signs the visitor in: the page by `identify`, or the server. */
type SignIn = "page" | "site";

/** A call in progress at the sign-in: a request of the site in this tab or another, or `session()` in a new tab. */
const kinds = ["page in another tab", "session in a new tab", "page in this tab"] as const;
const twenty = Array.from({ length: 20 }, (_, n) => kinds[n % kinds.length] ?? kinds[0]);

interface Scene {
  readonly setup: Setup;
  readonly signIn: SignIn;
  /** The other calls that are in progress at the sign-in. */
  readonly others: readonly (typeof kinds)[number][];
  /** Whether the time of grace may end after the sign-in, while other requests are still in progress. */
  readonly isSlow: boolean;
}

/**
 * Plays a sign-in while other calls of two tabs are in progress. `choose` decides which of them there are, and in which
 * order requests, responses and storage events arrive. In the end all tabs must have the new id and the identity.
 */
async function playSignIn({ setup, signIn, others, isSlow }: Scene, choose: Choose): Promise<void> {
  const browser = openBrowser(setup);
  const history: string[] = [];
  const { fetch, service, letOneArrive, outcome } = openWorld(browser, history);
  const options = { url: SERVICE, fetch, cookie: setup.cookie, timeout: 60_000 };
  const tabs: Client[] = [];
  const openTab = () => {
    const tab = createVisitorClient(browser.openTab(), options);
    tabs.push(tab);
    return tab;
  };
  const [one, other] = [openTab(), openTab()];
  const deliverAll = () => {
    for (const tab of tabs.keys()) while (browser.deliver(tab));
  };
  const before = await outcome(one.session(), () => 0);
  deliverAll();
  await outcome(other.session(), () => 0);
  const what = () => `${JSON.stringify({ setup, signIn, isSlow })} ${before.sessionId}:\n${history.join("\n")}`;

  const calls: Promise<unknown>[] = [];
  const start = {
    "page in another tab": () => other.fetch(`${SITE}/page`),
    "session in a new tab": () => openTab().session(),
    "page in this tab": () => one.fetch(`${SITE}/page`),
  };
  for (const kind of others) calls.push(start[kind]());
  let mayPass = false;
  const signingIn: Promise<unknown> =
    signIn === "page" ? identified(one, { customerId: "jane" }) : one.fetch(`${SITE}/sign-in?jane`);
  calls.push(signingIn.finally(() => (mayPass = isSlow)));
  await afterTimers();
  for (let isMore = true; isMore; ) {
    if (mayPass && choose(4) === 0) {
      mayPass = false;
      history.push("the time of grace ends");
      // Storage events arrive long before.
      deliverAll();
      service.pass(GRACE_MS);
    }
    if (setup.storage === "slow") browser.deliver(choose(tabs.length));
    isMore = letOneArrive(choose);
    await afterTimers();
  }
  const results = await outcome(Promise.allSettled(calls), choose);
  const failures = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  assert.deepEqual(failures, [], what());
  deliverAll();

  const current = service.sessions.get(handleOf(before.sessionId))?.info;
  assert.ok(current && current.sessionId !== before.sessionId, `no rotation: ${what()}`);
  for (const tab of tabs) {
    const info = await outcome(tab.session(), choose);
    deliverAll();
    assert.equal(shown(info), shown(current), `tab ${tabs.indexOf(tab)}: ${what()}`);
    assert.equal(info.customerId, "jane", what());
  }
  if (setup.cookie) assert.equal(browser.cookies.get("sessionId"), current.sessionId, what());
  await Promise.all(tabs.map((tab) => tab.close()));
}

/** Waits until timers have fired, such as one that holds a lock, and all code has run that does not wait. */
async function afterTimers(): Promise<void> {
  await settle();
  await new Promise((resolve) => setTimeout(resolve));
  await settle();
}

/** Runs `play` once for each sequence of choices that it can make, and returns their number. */
async function forEachOrder(play: (choose: Choose) => Promise<void>): Promise<number> {
  const path: { choice: number; readonly bound: number }[] = [];
  for (let count = 1; ; count++) {
    let at = 0;
    await play((bound) => {
      if (at === path.length) path.push({ choice: 0, bound });
      return path[at++]?.choice ?? 0;
    });
    let last = path.at(-1);
    while (last && last.choice + 1 === last.bound) {
      path.pop();
      last = path.at(-1);
    }
    if (!last) return count;
    last.choice += 1;
  }
}

for (const signIn of ["page", "site"] as const) {
  test(`in every order of arrival, all tabs have the new id and the identity after a sign-in by the ${signIn}`, async () => {
    using _ = withoutDelays();
    const setup: Setup = { storage: "works", locks: true, cookie: true };
    // A session() and an identify() wait for each other, so their requests are never in progress at the same time.
    const others = ["page in another tab", signIn === "page" ? "page in this tab" : "session in a new tab"] as const;
    const scene = { setup, signIn, others, isSlow: false };
    const orders = await forEachOrder((choose) => playSignIn(scene, (bound) => (bound === 1 ? 0 : choose(bound))));
    assert.ok(orders > 50, `${orders} orders`);
  });

  for (const setup of setups) {
    test(`twenty requests in progress at a sign-in by the ${signIn} do not replace the new id: ${nameOf(setup)}`, async () => {
      using _ = withoutDelays();
      for (let seed = 1; seed <= (LONG ? 1000 : 10); seed++) {
        // Tabs that share only cookies cannot know later which of two ids is the new one.
        const isSlow = seed % 2 === 0 && ["works", "slow"].includes(setup.storage);
        await playSignIn({ setup, signIn, others: twenty, isSlow }, createRandom(seed));
      }
    });
  }
}

test("identify rotates an anonymous session with an Idempotency-Key, and no other", async () => {
  await using service = await serveRotating();
  const client = createClient({ url: service.url, storage: false });
  const { sessionId: visit } = await identified(client, { visitId: "v" });
  const anonymous = await client.session();
  assert.equal(anonymous.sessionId, visit, "a visit is nobody");
  const first = await identified(client, { customerId: "jane" });
  assert.notEqual(first.sessionId, visit);
  assert.equal(handleOf(first.sessionId), handleOf(visit));
  const again = await identified(client, { customerId: "jane" });
  const withAgent = await identified(client, { agentId: "anna" });
  assert.deepEqual([again.sessionId, withAgent.sessionId], [first.sessionId, first.sessionId]);
  // A page that loads does not know the session's state.
  const page = createClient({ url: service.url, storage: false, sessionId: first.sessionId });
  assert.equal((await identified(page, { customerId: "jane" })).sessionId, first.sessionId);
  assert.equal(service.requests.filter((request) => request.includes('"rotate":true')).length, 1);
});

test("the first customer of an agent's session gives it a new id", async () => {
  await using service = await serveRotating();
  const client = createClient({ url: service.url, storage: false });
  const visit = await identified(client, { visitId: "v" });
  const ofAgent = await identified(client, { agentId: "anna" });
  const ofBoth = await identified(client, { customerId: "jane" });
  assert.equal(new Set([visit, ofAgent, ofBoth].map(({ sessionId }) => sessionId)).size, 3);
  assert.equal((await identified(client, { customerId: "jane", agentId: "anna" })).sessionId, ofBoth.sessionId);
});

test("with rotate: false, identify does not change the id", async () => {
  await using service = await serveRotating();
  const client = createClient({ url: service.url, storage: false, rotate: false });
  const { sessionId } = await client.session();
  assert.equal((await identified(client, { customerId: "jane" })).sessionId, sessionId);
});

test("the label and the profile are sent when a session is created and when it is identified", async () => {
  await using service = await serveRotating();
  const client = createClient({ url: service.url, storage: false });
  const given = { label: "Firefox on Windows", profile: "remember" };
  const created = await identified(client, { customerId: "jane" }, given);
  assertMembers(service.sessions.get(handleOf(created.sessionId)), given);
  client.reset();
  await client.session();
  const rotated = await identified(client, { customerId: "jane" }, given);
  assert.notEqual(handleOf(rotated.sessionId), handleOf(created.sessionId));
  assertMembers(service.sessions.get(handleOf(rotated.sessionId)), given);
});

test("identify resolves with false if no answer came in time, and the same call then returns the new id", async () => {
  await using service = await serveRotating();
  await using proxy = await startFaultyProxy(service.port);
  const client = createClient({ url: proxy.url, storage: false, timeout: 60_000 });
  const { sessionId } = await client.session();
  proxy.setFault("swallow");
  assert.equal(await client.identify({ customerId: "jane" }), false);
  const handle = handleOf(sessionId);
  const stored = service.sessions.get(handle)?.info.sessionId;
  assert.notEqual(stored, sessionId, "only the response was lost");
  proxy.setFault("pass");
  const info = await identified(client, { customerId: "jane" });
  assert.deepEqual([info.sessionId, info.customerId], [stored, "jane"]);
});

test("identify rejects for a refusal, also for one to come back later", async () => {
  const refuse = (code: string, status: number): Fetch =>
    async function refusing() {
      const type = `urn:antechamber:problem:${code}`;
      return Response.json({ type, code, status, title: code, detail: code }, { status });
    };
  for (const [code, status] of [
    ["invalid-request", 400],
    ["identity-mismatch", 403],
    ["too-many-requests", 429],
  ] as const) {
    const client = createClient({ url: SERVICE, storage: false, fetch: refuse(code, status) });
    await assert.rejects(client.identify({ customerId: "jane" }), { code, status });
  }
  const client = createClient({ url: SERVICE, storage: false, fetch: refuse("unavailable", 503) });
  assert.equal(await client.identify({ customerId: "jane" }), false);
});

test("records that another tab made before the sign-in are recorded in the session after the time of grace", async () => {
  await using service = await serveRotating();
  const storage = createWebStorage();
  const [one, other] = [1, 2].map(() => createClient({ url: service.url, storage }));
  assert.ok(one && other);
  await other.session();
  other.record({ method: "VIEW", path: "/before" });
  const { sessionId } = await identified(one, { customerId: "jane" });
  service.pass(GRACE_MS);
  await other.flush();
  assert.deepEqual(service.sessions.get(handleOf(sessionId))?.records, ["/before"]);
});

test("the option sessionId of an old page does not bring the retired id back", async () => {
  await using service = await serveRotating();
  const storage = createWebStorage();
  const client = createClient({ url: service.url, storage });
  const { sessionId: old } = await client.session();
  const { sessionId } = await identified(client, { customerId: "jane" });
  const page = createClient({ url: service.url, storage, sessionId: old });
  assert.equal((await page.session()).sessionId, sessionId);
});

const idOf = (letter: string, generation: number) =>
  letter.repeat(24) + Buffer.from([generation, ...Array<number>(11).fill(7)]).toString("base64url");

test("of two ids of a session, the later one stays, whichever tab writes last", () => {
  for (const closed of [0, 1]) {
    const browser = openBrowser({ storage: "slow", locks: true });
    const open = () => openStorage(browser.openTab(), { cookie: false });
    const [rotating, late] = [open(), open()];
    rotating.write(idOf("a", 0));
    browser.deliver(1);
    rotating.write(idOf("a", 200));
    late.write(idOf("a", 0));
    while (browser.deliver(1 - closed));
    const rest = [rotating, late][1 - closed];
    assert.equal(rest?.read().slice(0, 40), idOf("a", 200));
    assert.equal(open().read().slice(0, 40), idOf("a", 200), "the storage has it");
  }
});

test("a cookie with a retired id is corrected, and one with a new id is used", () => {
  const browser = openBrowser({ storage: "works", locks: true });
  const storage = openStorage(browser.openTab());
  storage.write(idOf("a", 1));
  browser.cookies.set("sessionId", idOf("a", 0));
  assert.equal(storage.read().slice(0, 40), idOf("a", 1));
  assert.equal(browser.cookies.get("sessionId"), idOf("a", 1));
  browser.cookies.set("sessionId", idOf("a", 2));
  assert.equal(storage.read().slice(0, 40), idOf("a", 2));
  browser.cookies.set("sessionId", idOf("a", 1));
  assert.equal(storage.read().slice(0, 40), idOf("a", 2), "the id from the cookie is not forgotten");
});

test("the cookie lasts for maxAge seconds, and a cookie of the site's server keeps its attributes", () => {
  const browser = openBrowser({ storage: "works", locks: true });
  const page = browser.openTab();
  const lines: string[] = [];
  const { cookies } = browser;
  Object.defineProperty(page.document, "cookie", {
    get: () => [...cookies].map(([name, value]) => `${name}=${value}`).join("; "),
    set(line: string) {
      lines.push(line);
    },
  });
  const storage = openStorage(page, { cookie: { maxAge: 3600 } });
  cookies.set("sessionId", idOf("a", 0));
  storage.write(idOf("a", 0));
  assert.deepEqual(lines, []);
  storage.write(idOf("a", 1));
  assert.deepEqual(lines, [`sessionId=${idOf("a", 1)}; Max-Age=3600; Path=/; SameSite=Lax`]);
});

test("signOut ends the session and forgets it in all tabs", async () => {
  await using service = await serveRotating();
  const storage = createWebStorage();
  const [one, other] = [1, 2].map(() => createClient({ url: service.url, storage }));
  assert.ok(one && other);
  const { sessionId } = await identified(one, { customerId: "jane" });
  await other.session();
  other.record({ method: "VIEW", path: "/last" });
  await other.flush();
  one.record({ method: "VIEW", path: "/sign-out" });
  assert.equal(await one.signOut(), true);
  const session = service.sessions.get(handleOf(sessionId));
  assert.deepEqual([session?.isLive, session?.records], [false, ["/last", "/sign-out"]]);
  const next = await other.session();
  assert.notEqual(handleOf(next.sessionId), handleOf(sessionId));
  assert.equal((await one.session()).sessionId, next.sessionId);
  assert.equal(await createClient({ url: service.url, storage: false }).signOut(), true, "nothing to end");
  // Somebody else has ended the session.
  await createTransport({ url: service.url }).end(next.sessionId);
  assert.equal(await other.signOut(), true);
});

for (const where of ["this tab", "another tab"]) {
  test(`a sign-in in progress does not survive a sign-out in ${where}, neither here nor on the server`, async () => {
    await using service = await serveRotating();
    let open = () => {};
    const isOpen = new Promise<void>((resolve) => (open = resolve));
    let arrived = () => {};
    const waits = new Promise<void>((resolve) => (arrived = resolve));
    const gated: Fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (init?.method === "POST") {
        arrived();
        await isOpen;
      }
      return response;
    };
    const storage = createWebStorage();
    const tab = createClient({ url: service.url, storage, fetch: gated });
    const other = createClient({ url: service.url, storage });
    const { sessionId } = await tab.session();
    const signIn = assert.rejects(tab.identify({ customerId: "jane" }), { code: "reset" });
    await waits;
    const signOut = (where === "this tab" ? tab : other).signOut();
    open();
    await signIn;
    assert.equal(await signOut, true);
    for (const client of [tab, other]) assert.equal((await client.session()).customerId, null);
    const isEnded = () => service.sessions.get(handleOf(sessionId))?.isLive === false;
    await until("the session has ended", isEnded);
  });
}

test("if the service cannot be reached, signOut resolves with false and the session is forgotten", async () => {
  await using service = await serveRotating();
  await using proxy = await startFaultyProxy(service.port);
  const storage = createWebStorage();
  const { sessionId } = await identified(createClient({ url: proxy.url, storage }), { customerId: "jane" });
  proxy.setFault("hang");
  assert.equal(await createClient({ url: proxy.url, storage, timeout: 500 }).signOut(), false);
  proxy.setFault("pass");
  const next = await createClient({ url: service.url, storage }).session();
  assert.notEqual(handleOf(next.sessionId), handleOf(sessionId));
});

test("signOut rejects for a refusal, and the session is forgotten", async () => {
  await using service = await serveRotating();
  const forbidding: Fetch = async (input, init) => {
    if (init?.method !== "DELETE") return await fetch(input, init);
    const code = "role-not-permitted";
    return Response.json({ type: `urn:antechamber:problem:${code}`, code, detail: code }, { status: 403 });
  };
  const client = createClient({ url: service.url, storage: false, fetch: forbidding });
  const { sessionId } = await client.session();
  await assert.rejects(client.signOut(), { code: "role-not-permitted" });
  assert.notEqual((await client.session()).sessionId, sessionId);
});
