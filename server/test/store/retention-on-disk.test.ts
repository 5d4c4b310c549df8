import assert from "node:assert/strict";
import { test } from "node:test";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { DAY, ids, lifetimes, MINUTE, START } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Guess, indexRows, tracesOf } from "../support/traces.ts";

/*
 * Anybody who has the data folder also has the key of the hashes in the secondary index, and can look for ids that they
 * guess. Erased data, and data past their retention, must not be found in this way either.
 */

/** Changes until the index is merged: a small number, so that most are in sorted runs of the index. */
const MERGE_AT = 150;
const SESSIONS = 400;
const EMPTY = {
  sessions: 0,
  visit_holders: 0,
  index_log: 0,
  index_blocks: 0,
  index_runs: 0,
  index_deleted: 0,
};

function open(dataDir: string, now: number): StoreEngine {
  return openSqliteStore({
    ...{ dataDir, lifetimes, now, mergeIndexAt: MERGE_AT },
    ...{ maxRecords: 10_000, retention: DAY, eventRetention: DAY, cacheSessions: 1000 },
    ...{ maxPending: 100_000, timeout: 30_000 },
    events: {
      committed: () => undefined,
      failed: assert.fail,
      noticed: () => undefined,
      suspended: () => undefined,
      credentialsChanged: () => undefined,
      recordsLost: (records) => assert.fail(`${records} records`),
      recordsDropped: (records) => assert.fail(`${records} records`),
    },
  });
}

/** Creates sessions with different ids. Returns all of their ids as guesses. */
async function fill(store: StoreEngine, now: number, name: string): Promise<Guess[]> {
  const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
  const guesses: Guess[] = [];
  const create = async (i: number) => {
    const { handle, createdAt } = issuer.issue(now + i);
    const given = {
      customerId: `customer-${name}-${i % 40}`,
      agentId: `agent-${name}-${i % 7}`,
      visitId: `visit-${name}-${i}`,
      globalVisitId: `global-${name}-${i}`,
    };
    for (const [field, value] of Object.entries(given)) {
      guesses.push({ field: field as Guess["field"], id: value });
    }
    const session = newSession(handle, createdAt, ids(given), lifetimes);
    assert.deepEqual(await store.create(session, now + i), { outcome: "created" });
    if (i % 3 === 0) await store.end({ handle, scope: "everyone", now: now + i });
  };
  await Promise.all(Array.from({ length: SESSIONS }, (_, i) => create(i)));
  return guesses;
}

/** Purges at `now` until there is nothing more to do, like a server that gets no requests. */
async function purge(store: StoreEngine, now: number): Promise<void> {
  for (let quiet = 0; quiet < 300; ) quiet = (await store.purgeExpired(now)).hasMore ? 0 : quiet + 1;
}

test("data past their retention are removed from the index ten minutes later, even if nothing else changes", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, START);
  try {
    const guesses = await fill(store, START, "past");
    await purge(store, START);
    const before = indexRows(directory.path);
    assert.ok((before["index_blocks"] ?? 0) > 0 && (before["index_log"] ?? 0) > 0, "both have entries");
    assert.ok(tracesOf(directory.path, guesses).length >= guesses.length, "guessing finds all ids");

    const over = START + 2 * DAY;
    const kept = await fill(store, over, "kept");
    await purge(store, over);
    assert.equal(indexRows(directory.path)["sessions"], SESSIONS, "the rows are deleted at once");
    await purge(store, over + 10 * MINUTE);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
    const found = new Set(tracesOf(directory.path, kept).map((text) => text.split(": ").at(-1)));
    assert.ok(found.size > kept.length / 2, "other ids are still found");

    await purge(store, over + 3 * DAY);
    await purge(store, over + 3 * DAY + 10 * MINUTE);
    assert.deepEqual(indexRows(directory.path), EMPTY);
    assert.deepEqual(tracesOf(directory.path, kept), []);
  } finally {
    await store.close();
  }
});

test("an erasure removes the index entries of previously purged sessions before it is fulfilled", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, START);
  try {
    const guesses = await fill(store, START, "erased");
    const over = START + 2 * DAY;
    await purge(store, over);
    const rows = indexRows(directory.path);
    assert.deepEqual([rows["sessions"], rows["index_deleted"]], [0, SESSIONS]);
    assert.ok(tracesOf(directory.path, guesses).length > 0, "guessing finds all ids");
    assert.equal(await store.eraseCustomerApiKeys("customer-erased-1", "hash", over), 0);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
  } finally {
    await store.close();
  }
});

test("a new process at once completes the purge of a process that died", async () => {
  await using directory = temporaryDirectory();
  const over = START + 2 * DAY;
  let guesses: Guess[];
  const first = open(directory.path, START);
  try {
    guesses = await fill(first, START, "late");
    await purge(first, over);
    for (let slice = 0; slice < 4; slice++) await first.purgeExpired(over + 10 * MINUTE);
    assert.ok((indexRows(directory.path)["index_deleted"] ?? 0) > 0, "it is not complete");
  } finally {
    await first.close();
  }
  const second = open(directory.path, over);
  try {
    await purge(second, over);
    assert.deepEqual(indexRows(directory.path), EMPTY);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
  } finally {
    await second.close();
  }
});
