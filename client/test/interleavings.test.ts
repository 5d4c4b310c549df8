import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../src/client.ts";
import { bodyIds, headerIds, type Identity, type SessionInfo } from "../src/protocol.ts";
import type { Fetch } from "../src/transport.ts";
import { createVisitorClient } from "../src/visitor-client.ts";
import { type BrowserOptions, type FakeBrowser, openBrowser, setCookie } from "./fake-browser.ts";

const SITE = "http://site.test";
const SERVICE = "http://service.test";
const MAX_TABS = 3;
const LONG = Boolean(process.env["ANTECHAMBER_LONG"]);

/** Returns a random number generator (xorshift) for integers below a bound. A seed always gives the same numbers. */
function createRandom(seed: number): (bound: number) => number {
  let state = seed * 2654435761 + 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const noIds = Object.fromEntries([...headerIds, ...bodyIds].map((name) => [name, null])) as Identity;

/** Creates a service without a network, which handles a request by `respond`. */
function createService(sessions: Map<string, SessionInfo>) {
  function create(customerId: string | null): SessionInfo {
    const sessionId = `s${sessions.size}`.padEnd(40, "_");
    const times = { createdAt: "", lastActiveAt: "", expiresAt: "" };
    const ids = { ...noIds, customerId };
    const state = customerId === null ? "anonymous" : "recognized";
    const info: SessionInfo = { sessionId, state, ...ids, ...times };
    sessions.set(sessionId, info);
    return info;
  }

  function update(sessionId: string, customerId: string): SessionInfo | undefined {
    const info = sessions.get(sessionId);
    if (info?.customerId !== null && info?.customerId !== customerId) return undefined;
    const next: SessionInfo = { ...info, customerId, state: "recognized" };
    sessions.set(sessionId, next);
    return next;
  }

  function respond(method: string, path: string, customerId: string | null): Response {
    const id = path.split("/")[2] ?? "";
    if (method === "PUT") return Response.json(create(customerId));
    if (path.endsWith("/requests")) return Response.json({ accepted: 1 }, { status: 202 });
    if (method === "GET") return Response.json(sessions.get(id) ?? create(null));
    const info = update(id, customerId ?? "");
    if (info) return Response.json(info);
    const code = sessions.has(id) ? "already-exists" : "session-not-found";
    const problem = { type: `urn:antechamber:problem:${code}`, code, field: "customerId" };
    return Response.json(problem, { status: sessions.has(id) ? 400 : 404 });
  }

  return { create, update, respond };
}

/** Describes a request for the history. */
function describe(input: Parameters<Fetch>[0], init: RequestInit | undefined): string {
  return input instanceof Request
    ? `${input.url} for ${input.headers.get("gkc-sessionId")?.slice(0, 4)}`
    : `${init?.method} ${String(input).replaceAll("_", "")}`;
}

/** Creates a service and a site. Each request and each response waits until the test lets it arrive. */
function openWorld({ cookies, deliver }: FakeBrowser, history: string[]) {
  const sessions = new Map<string, SessionInfo>();
  const { create, update, respond } = createService(sessions);
  const waiting: (() => void)[] = [];

  /** Responds like a site with our middleware; `/sign-in?customer` signs the customer in. */
  function site(request: Request, cookie: string | undefined): Response {
    const sent = request.headers.get("gkc-sessionId");
    const customer = new URL(request.url).search.slice(1);
    const known = sessions.get(sent ?? cookie ?? "");
    let info = known ?? create(null);
    if (customer) info = update(info.sessionId, customer) ?? create(customer);
    if (info.sessionId === known?.sessionId) return new Response("page");
    return new Response("page", {
      headers: {
        "gkc-sessionId": info.sessionId,
        "gkc-replaces": sent?.slice(0, 24) ?? "none",
        "x-set-cookie": `sessionId=${info.sessionId}`,
      },
    });
  }

  const doFetch: Fetch = (input, init) =>
    new Promise((resolve) => {
      const sentCookie = cookies.get("sessionId");
      // The server handles the request when it arrives; the response may arrive much later.
      const description = describe(input, init);
      waiting.push(() => {
        const response =
          input instanceof Request
            ? site(input, sentCookie)
            : respond(
                init?.method ?? "GET",
                new URL(String(input)).pathname,
                new Headers(init?.headers).get("gkc-customerId"),
              );
        waiting.push(() => {
          const cookie = response.headers.get("x-set-cookie");
          history.push(`answered ${description}`);
          if (cookie) {
            // Storage events take milliseconds, less than a response of the site, so all are delivered first.
            for (let tab = 0; tab < MAX_TABS; tab++) while (deliver(tab));
            setCookie(cookies, cookie);
          }
          resolve(response);
        });
      });
    });

  return {
    fetch: doFetch,
    sessions,
    /** Delivers one request or response; returns false if none is waiting. */
    letOneArrive(choose: (bound: number) => number): boolean {
      const [next] = waiting.splice(waiting.length > 0 ? choose(waiting.length) : 0, 1);
      next?.();
      return next !== undefined;
    },
  };
}

/** Waits until all code has run that does not wait for a request. */
async function settle(): Promise<void> {
  for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
}

/** Makes timers fire immediately. */
function withoutDelays(): Disposable {
  const real = globalThis.setTimeout;
  const immediate = (task: () => void) => real(task, 0);
  globalThis.setTimeout = immediate as typeof setTimeout;
  return {
    [Symbol.dispose]() {
      globalThis.setTimeout = real;
    },
  };
}

interface Setup extends BrowserOptions {
  readonly cookie: boolean;
  readonly memoryOnly?: boolean;
  readonly tabs: number;
}

const setups: readonly Setup[] = [
  { storage: "works", locks: true, cookie: true, tabs: 2 },
  { storage: "works", locks: true, cookie: false, tabs: 3 },
  { storage: "works", locks: false, cookie: true, tabs: 2 },
  { storage: "slow", locks: true, cookie: true, tabs: 2 },
  { storage: "slow", locks: true, cookie: false, tabs: 2 },
  { storage: "slow", locks: false, cookie: false, tabs: 2 },
  { storage: "full", locks: false, cookie: true, tabs: 2 },
  { storage: "full", locks: true, cookie: false, tabs: 1 },
  { storage: "mute", locks: false, cookie: true, tabs: 2 },
  { storage: "mute", locks: false, cookie: false, tabs: 1 },
  { storage: "blocked", locks: false, cookie: true, tabs: 2 },
  { storage: "blocked", locks: true, cookie: false, tabs: 1 },
  { storage: "works", locks: true, cookie: true, memoryOnly: true, tabs: 2 },
];

/**
 * Plays one history: visitors use the browser one after another, with a reset between them, while calls are in
 * progress. A visitor signs in as a customer of the same name, so each session shows whose it is.
 */
async function play(setup: Setup, seed: number): Promise<void> {
  const choose = createRandom(seed);
  const browser = openBrowser(setup);
  const history: string[] = [];
  const world = openWorld(browser, history);
  const options = {
    url: SERVICE,
    fetch: world.fetch,
    cookie: setup.cookie,
    timeout: 60_000,
    ...(setup.memoryOnly ? { storage: false as const } : {}),
  };
  const tabs = Array.from({ length: setup.tabs }, () => createVisitorClient(browser.openTab(), options));
  const faults: string[] = [];
  const before = new Set<string>();
  let visitor = 0;
  const name = () => `visitor-${visitor}`;
  const what = () => `${JSON.stringify(setup)}, seed ${seed}:\n${history.join("\n")}`;

  /** Checks that a call did not return an earlier visitor's session. */
  function checkResult(info: SessionInfo, asked: number): void {
    history.push(`got ${info.sessionId.slice(0, 4)} ${info.customerId}`);
    const isLater = setup.storage === "slow" && asked < visitor;
    if (isLater) return;
    const isOwn = info.customerId === null || info.customerId === name();
    if (!isOwn && setup.storage !== "slow") faults.push(`${name()} got ${info.customerId}`);
  }

  async function act(tab: Client): Promise<void> {
    const asked = visitor;
    switch (choose(4)) {
      case 0:
        history.push(`session in tab ${tabs.indexOf(tab)}`);
        return checkResult(await tab.session(), asked);
      case 1:
        history.push(`identify ${name()} in tab ${tabs.indexOf(tab)}`);
        return checkResult(await tab.identify({ customerId: name() }), asked);
      case 2:
        history.push(`sign-in ${name()} in tab ${tabs.indexOf(tab)}`);
        return void (await tab.fetch(`${SITE}/sign-in?${name()}`));
      default:
        history.push(`page in tab ${tabs.indexOf(tab)}`);
        return void (await tab.fetch(`${SITE}/`));
    }
  }

  const pending: Promise<void>[] = [];
  for (let step = 0; step < 14; step++) {
    const tab = tabs[choose(tabs.length)];
    if (!tab) continue;
    const kind = choose(10);
    if (kind < 3) pending.push(act(tab).catch((error: unknown) => void history.push(String(error))));
    else if (kind < 4) {
      for (const id of world.sessions.keys()) before.add(id);
      history.push(`reset in tab ${tabs.indexOf(tab)}`);
      // Two resets never happen in the same millisecond, so each `Date.now()` is later than the one before.
      const { now } = Date;
      for (const start = now(); now() === start; );
      tab.reset();
      visitor += 1;
    } else if (kind < 6) browser.deliver(choose(tabs.length));
    else {
      history.push("something arrives");
      world.letOneArrive(choose);
    }
    await settle();
  }
  /** Delivers requests and responses until the result is there, and returns it. */
  async function outcome<T>(result: Promise<T>): Promise<T> {
    const state = { isOver: false };
    const end = result.finally(() => {
      state.isOver = true;
    });
    for (let rounds = 0; !state.isOver; rounds++) {
      assert.ok(rounds < 1000, `the call does not end: ${what()}`);
      if (!world.letOneArrive(choose)) await new Promise((resolve) => setTimeout(resolve));
      for (const index of tabs.keys()) browser.deliver(index);
      await settle();
    }
    return await end;
  }
  await outcome(Promise.all(pending));
  for (const index of tabs.keys()) while (browser.deliver(index));

  const last: string[] = [];
  for (const tab of tabs) {
    const info = await outcome(tab.session());
    for (const index of tabs.keys()) while (browser.deliver(index));
    const { sessionId, customerId } = info;
    history.push(`in the end ${sessionId.slice(0, 4)} ${customerId}`);
    const isOwn = customerId === null || customerId === name();
    assert.ok(isOwn, `${name()} is in the session of ${customerId}: ${what()}`);
    assert.ok(!before.has(sessionId), `${sessionId} is from before the reset: ${what()}`);
    last.push(sessionId);
  }
  const isShared = setup.storage === "works" && !setup.memoryOnly;
  if (isShared) assert.equal(new Set(last).size, 1, `the tabs differ: ${what()}`);
  assert.deepEqual(faults, [], what());
  await Promise.all(tabs.map((tab) => tab.close()));
}

for (const setup of setups) {
  const { storage, locks, cookie, memoryOnly } = setup;
  const name = `storage ${memoryOnly ? "off" : storage}, ${locks ? "" : "no "}locks, ${cookie ? "" : "no "}cookie`;
  test(`whatever calls are in progress at a reset, the next visitor gets a new session: ${name}`, async () => {
    using _ = withoutDelays();
    const histories = LONG ? 3000 : 20;
    for (let seed = 1; seed <= histories; seed++) await play(setup, seed);
  });
}
