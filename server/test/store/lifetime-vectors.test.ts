// runs: once

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { inspect } from "../../src/store/sqlite/offline/inspect.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { type LifetimeVector, lifetimeVectors } from "../session/lifetime-vectors.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { ids, MINUTE, START } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { record } from "./contract/timeline.ts";

/*
 * Tests the lifetime rules in Lua (Redis) and SQL (SQLite) through the engines: imports a session in the state of a
 * vector, uses it at the vector's time, and purges it.
 */

/** Returns a new handle created at `now`. Each handle has its own issuer, because time never runs backwards in an issuer. */
function newHandle(now: number): string {
  return createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]).issue(now).handle;
}

/** Imports the session of a vector while it is live, and ends it if it has ended. */
async function importSession(store: StoreEngine, vector: LifetimeVector): Promise<Session> {
  const { lastActiveAt, expiresAt, isEnded = false, hasRecords = false } = vector;
  const session: Session = {
    ...ids(vector.ids),
    ...noTraits,
    ...vector.traits,
    handle: newHandle(START),
    generation: 0,
    createdAt: START,
    lastActiveAt: START + lastActiveAt,
    expiresAt: START + expiresAt + (isEnded ? MINUTE : 0),
    ended: false,
  };
  const records = hasRecords ? [record(1)] : [];
  const first = { kind: "session", session, associations: [], requests: records.length } as const;
  const second = { kind: "records", session, first: 1, records } as const;
  const items = hasRecords ? [first, second] : [first];
  const now = START + Math.min(lastActiveAt, vector.now);
  await store.importItems({ items, cursor: null, now });
  if (isEnded)
    assert.equal(await store.end({ handle: session.handle, scope: "everyone", now: START + expiresAt }), true);
  return session;
}

/** Uses the session twice: by associating its own ids again, which renews it if that is due, and by a renewal. */
async function assertUse(store: StoreEngine, session: Session, vector: LifetimeVector) {
  const { expected } = vector;
  const now = START + vector.now;
  const request = { handle: session.handle, generation: 0, ids: session, scope: "everyone", now } as const;
  const result = await store.associate(request);
  assert.equal(result.outcome, expected.isLive ? "associated" : "absent");
  if (result.outcome !== "associated") return;
  const expiresAt = expected.isRenewalDue ? START + expected.expiresAt : session.expiresAt;
  assert.equal(result.session.expiresAt, expiresAt, "expiry after an association");
  store.renew(result.session, now);
  // A renewal returns before it is stored. It is stored before this later change.
  await store.advanceClock(now);
  const renewed = await store.find(session.handle);
  assert.equal(renewed.expiresAt - START, expected.expiresAt, "expiry after a renewal");
}

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});
after(async () => {
  await redis[Symbol.asyncDispose]();
});

/** Makes a Redis script calculate when an expired session is purged: sends a record, or a rival for its visit. */
async function touchExpired(store: StoreEngine, session: Session, vector: LifetimeVector) {
  const now = START + vector.now;
  const { handle: id, visitId } = session;
  if (vector.hasRecords === true) {
    assert.equal((await store.storeRecords({ handle: id, records: [record(2)], now })).outcome, "recorded");
  } else if (visitId !== null) {
    const rival = newSession(newHandle(now), now, ids({ visitId }), vector.policy.lifetimes);
    assert.equal((await store.create(rival, now)).outcome, "created");
  }
}

for (const [i, vector] of lifetimeVectors.entries()) {
  test(`the lifetime rules in Lua: ${vector.name}`, async () => {
    const prefix = `vector${i}:`;
    const store = await openRedisAt(redis.url, { prefix, now: START, ...vector.policy });
    try {
      const session = await importSession(store, vector);
      await assertUse(store, session, vector);
      if (!vector.expected.isLive) await touchExpired(store, session, vector);
      const keys = createKeyNames(prefix);
      const isStored = (await redis.node.command("EXISTS", keys.session(session.handle))) === 1;
      const name = isStored ? keys.session(session.handle) : keys.records(session.handle);
      const left = Number(await redis.node.command("PTTL", name));
      const lastWrite = vector.isEnded === true ? vector.expiresAt : vector.now;
      const expected = vector.expected.purgeAt - lastWrite;
      assert.ok(left <= expected && left > expected - 5000, `${left} ms, not ${expected}`);
    } finally {
      await store.close();
    }
  });
}

function openSqlite(dataDir: string, { policy }: LifetimeVector): StoreEngine {
  return openSqliteStore({
    ...policy,
    dataDir,
    eventRetention: policy.retention,
    maxRecords: 100,
    cacheSessions: 1000,
    maxPending: 10_000,
    timeout: 30_000,
    events: unheard,
    now: START,
  });
}

/** Purges everything that is due at `now`; returns whether a session is stored. */
async function isKeptAt(store: StoreEngine, dataDir: string, now: number): Promise<boolean> {
  for (let quiet = 0; quiet < 4; ) {
    const { expired, hasMore } = await store.purgeExpired(now);
    quiet = expired > 0 || hasMore ? 0 : quiet + 1;
  }
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  try {
    return database.prepare("SELECT 1 FROM sessions").get() !== undefined;
  } finally {
    database.close();
  }
}

for (const vector of lifetimeVectors) {
  test(`the lifetime rules in SQL: ${vector.name}`, async () => {
    await using directory = temporaryDirectory();
    const store = openSqlite(directory.path, vector);
    try {
      const { expected, policy } = vector;
      const session = await importSession(store, vector);
      const now = START + vector.now;
      const found = inspect(directory.path, now, policy.retention);
      assert.equal(found.counts?.live, expected.isLive ? 1 : 0, "live sessions of inspect");
      assert.deepEqual(found.faults, []);
      await assertUse(store, session, vector);
      const { retentionEndsAt, purgeAt } = expected;
      if (retentionEndsAt !== null) {
        const overdueAt = (time: number) => inspect(directory.path, START + time, policy.retention).retention?.overdue;
        assert.equal(overdueAt(retentionEndsAt - 1), 0, "within the retention");
        assert.equal(overdueAt(retentionEndsAt), 1, "after the retention");
      }
      const isKept = (time: number) => isKeptAt(store, directory.path, START + time);
      assert.equal(await isKept(purgeAt - 1), true, "before the purge");
      assert.equal(await isKept(purgeAt), false, "at the purge");
    } finally {
      await store.close();
    }
  });
}
