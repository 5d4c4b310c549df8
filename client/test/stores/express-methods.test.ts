import assert from "node:assert/strict";
import { test } from "node:test";
import { promisify } from "node:util";
import type { RequestHandler } from "express";
import expressSession, { type SessionData, type SessionOptions, type Store } from "express-session";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { antechamberSession } from "../../src/stores/express-session.ts";
import { createTransport } from "../../src/transport.ts";
import { createBrowser } from "./browser.ts";
import { startExpress } from "./sites/express.ts";
import { TIMEOUT_MS } from "./sites/site.ts";

const antechamber = oneServer();

/* The methods of a store as the README of express-session describes them ("Session Store Implementation"). */

/** Returns the store that `antechamberSession` gives to express-session. */
function storeFor(url: string): Store {
  let store: Store | undefined;
  const capture = (options: SessionOptions): RequestHandler => {
    ({ store } = options);
    return expressSession(options);
  };
  antechamberSession(capture, { url, timeout: TIMEOUT_MS })({
    secret: "secret",
    resave: false,
    saveUninitialized: false,
  });
  assert.ok(store);
  return store;
}

interface Case {
  readonly store: Store;
  readonly id: string;
  get(id?: string): Promise<SessionData | null | undefined>;
  set(data: object): Promise<void>;
}

const cases: Readonly<Record<string, (use: Case) => Promise<void>>> = {
  "get: a session that is not found is null or undefined, without an error": async ({ get }) => {
    for (const id of ["A".repeat(40), "unknown", ""]) assert.equal((await get(id)) ?? null, null);
  },
  "set and get: the session comes back, with its cookie": async ({ get, set }) => {
    await set({ user: { name: "Anna" } });
    const session = (await get()) as (SessionData & { user: unknown }) | null;
    assert.deepEqual(session?.user, { name: "Anna" });
    assert.equal(session?.cookie.originalMaxAge, 60_000);
  },
  "set: replaces the session that is there": async ({ get, set }) => {
    await set({ a: 1 });
    await set({ b: 2 });
    const { cookie: _cookie, ...data } = { ...(await get()) };
    assert.deepEqual(data, { b: 2 });
  },
  "touch: leaves the data as they are": async ({ store, id, get, set }) => {
    await set({ a: 1 });
    const session = (await get()) as SessionData;
    await promisify<void>((done) => store.touch?.(id, session, () => done(null)))();
    assert.equal(((await get()) as SessionData & { a: number }).a, 1);
  },
  "destroy: the session is gone, and destroying it again is no error": async ({ store, id, get, set }) => {
    await set({ a: 1 });
    for (let i = 0; i < 2; i++) await promisify<void>((done) => store.destroy(id, done))();
    assert.equal((await get()) ?? null, null);
  },
  "all, length and clear: absent, because the store shares its sessions with other applications": async ({ store }) => {
    for (const name of ["all", "length", "clear"] as const) assert.equal(store[name], undefined);
  },
  "the store is an emitter of events": async ({ store }) => {
    assert.equal(typeof store.on, "function");
  },
};

test("the store for express-session does what its documentation asks of stores", async (context) => {
  const store = storeFor(antechamber.url);
  const transport = createTransport({ url: antechamber.url });
  for (const [name, check] of Object.entries(cases)) {
    const { sessionId: id } = await transport.create();
    const cookie = { originalMaxAge: 60_000, path: "/", httpOnly: true };
    const use: Case = {
      store,
      id,
      get: (wanted = id) => promisify<SessionData | null | undefined>((done) => store.get(wanted, done))(),
      set: (data) => promisify<void>((done) => store.set(id, { ...data, cookie }, done))(),
    };
    try {
      await check(use);
    } catch (error) {
      throw new Error(name, { cause: error });
    }
  }
  context.diagnostic(`${Object.keys(cases).length} cases`);
});

test("with unset: destroy, a handler that deletes req.session ends the session", async () => {
  await using site = await startExpress({ url: antechamber.url, unset: "destroy" });
  const browser = createBrowser(site);
  const id = String(await browser.visit((visit) => Object.assign(visit.session, { a: 1 }) && visit.id()));
  await browser.visit((visit) => visit.unset?.() ?? null);
  assert.deepEqual(await browser.visit(), {});
  assert.equal((await fetch(`${antechamber.url}/sessions/${id}/data`)).status, 404);
});
