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
 * A person who has the data folder also has the key of the hashes in the index of ids, and can test ids. Erased
 * data, and data past their retention, must not be found in this way either.
 */

/** The number of changes before a merge: so few that most of the index is in runs, and the rest in its log. */
const MERGE_AT = 150;
const SESSIONS = 400;
const EMPTY = { sessions: 0, visits: 0, id_log: 0, id_blocks: 0, id_runs: 0, id_gone: 0 };

function open(dataDir: string, now: number): StoreEngine {
  return openSqliteStore({
    ...{ dataDir, lifetimes, now, mergeIdsAt: MERGE_AT },
    ...{ maxRecords: 10_000, retention: DAY, cacheSessions: 1000 },
    ...{ maxPending: 100_000, timeout: 30_000 },
    events: {
      committed: () => undefined,
      failed: assert.fail,
      noticed: () => undefined,
      suspended: () => undefined,
      credentialsChanged: () => undefined,
      recordsLost: (records) => assert.fail(`${records} records`),
    },
  });
}

/** Creates sessions with different ids, all of which are guessed afterwards. */
async function fill(store: StoreEngine, now: number, name: string): Promise<Guess[]> {
  const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
  const guesses: Guess[] = [];
  const create = async (i: number) => {
    const { id, createdAt } = issuer.issue(now + i);
    const given = {
      customerId: `customer-${name}-${i % 40}`,
      agentId: `agent-${name}-${i % 7}`,
      visitId: `visit-${name}-${i}`,
      globalVisitId: `global-${name}-${i}`,
    };
    for (const [field, value] of Object.entries(given)) {
      guesses.push({ field: field as Guess["field"], id: value });
    }
    const session = newSession(id, createdAt, ids(given), lifetimes);
    assert.deepEqual(await store.create(session, now + i), { outcome: "created" });
    if (i % 3 === 0) await store.end(id, now + i);
  };
  await Promise.all(Array.from({ length: SESSIONS }, (_, i) => create(i)));
  return guesses;
}

/** Sweeps at `now` until there is nothing more to do, like a server without requests. */
async function sweep(store: StoreEngine, now: number): Promise<void> {
  for (let quiet = 0; quiet < 300; )
    quiet = (await store.purgeExpired(now)).hasMore ? 0 : quiet + 1;
}

test("data past their retention are removed from the index of ids ten minutes later, though nothing else changes", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, START);
  try {
    const guesses = await fill(store, START, "past");
    await sweep(store, START);
    const before = indexRows(directory.path);
    assert.ok((before["id_blocks"] ?? 0) > 0 && (before["id_log"] ?? 0) > 0, "both have some");
    assert.ok(tracesOf(directory.path, guesses).length >= guesses.length, "guessing finds them");

    const over = START + 2 * DAY;
    const kept = await fill(store, over, "kept");
    await sweep(store, over);
    assert.equal(indexRows(directory.path)["sessions"], SESSIONS, "the rows go at once");
    await sweep(store, over + 10 * MINUTE);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
    const found = new Set(tracesOf(directory.path, kept).map((text) => text.split(": ").at(-1)));
    assert.ok(found.size > kept.length / 2, "those of others stay");

    await sweep(store, over + 3 * DAY);
    await sweep(store, over + 3 * DAY + 10 * MINUTE);
    assert.deepEqual(indexRows(directory.path), EMPTY);
    assert.deepEqual(tracesOf(directory.path, kept), []);
  } finally {
    await store.close();
  }
});

test("an erasure removes the index entries of previously swept sessions before it is answered", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, START);
  try {
    const guesses = await fill(store, START, "erased");
    const over = START + 2 * DAY;
    await sweep(store, over);
    const rows = indexRows(directory.path);
    assert.deepEqual([rows["sessions"], rows["id_gone"]], [0, SESSIONS]);
    assert.ok(tracesOf(directory.path, guesses).length > 0, "guessing finds them");
    assert.equal(await store.eraseCustomerApiKeys("customer-erased-1", over), 0);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
  } finally {
    await store.close();
  }
});

test("the next process at once finishes the clearing of a process that died", async () => {
  await using directory = temporaryDirectory();
  const over = START + 2 * DAY;
  let guesses: Guess[];
  const first = open(directory.path, START);
  try {
    guesses = await fill(first, START, "late");
    await sweep(first, over);
    for (let slice = 0; slice < 4; slice++) await first.purgeExpired(over + 10 * MINUTE);
    assert.ok((indexRows(directory.path)["id_gone"] ?? 0) > 0, "it is not done");
  } finally {
    await first.close();
  }
  const second = open(directory.path, over);
  try {
    await sweep(second, over);
    assert.deepEqual(indexRows(directory.path), EMPTY);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
  } finally {
    await second.close();
  }
});
