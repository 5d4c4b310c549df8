import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { anySession } from "../../src/session/filter.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { openForReading } from "../../src/store/sqlite/files/database.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { DAY, HOUR, ids, lifetimes, MINUTE, START } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { record } from "./contract/timeline.ts";

/*
 * Searches the bytes of all files of a data folder, because erased data must also be gone from free pages, from the
 * gaps in pages, and from the write-ahead log.
 */

const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
const CUSTOMER = "customer-who-leaves";
const SECRET = "/secret-path-of-the-customer";
const DATA = "secret-data-of-the-customer";
const EARLIER = "earlier-data-of-the-customer";
const SECRETS = [CUSTOMER, SECRET, DATA, EARLIER];

function open(dataDir: string, now: number): StoreEngine {
  return openSqliteStore({
    dataDir,
    lifetimes,
    now,
    maxRecords: 10_000,
    retention: 14 * DAY,
    eventRetention: DAY,
    cacheSessions: 1000,
    maxPending: 100_000,
    timeout: 30_000,
    events: {
      committed: () => undefined,
      failed: assert.fail,
      credentialsChanged: () => undefined,
      noticed: () => undefined,
      suspended: () => undefined,
      recordsLost: (records) => assert.fail(`${records} records`),
      recordsDropped: (records) => assert.fail(`${records} records`),
    },
  });
}

/** Returns the given texts that the files of a folder contain, each with the name of the file. */
function search(dataDir: string, texts: readonly string[]): string[] {
  return readdirSync(dataDir).flatMap((name) => {
    const bytes = readFileSync(join(dataDir, name));
    return texts.filter((text) => bytes.includes(text)).map((text) => `${name}: ${text}`);
  });
}

/** Creates sessions with stored records, every tenth session for `CUSTOMER`. Returns the ids of these. */
async function fill(store: StoreEngine, at: { now: number }): Promise<string[]> {
  const theirs: string[] = [];
  const everybody: string[] = [];
  for (let i = 0; i < 400; i++) {
    const isTheirs = i % 10 === 0;
    const { handle, createdAt } = issuer.issue(at.now);
    const customerId = isTheirs ? CUSTOMER : `customer-who-stays-${i}`;
    const given = ids({ customerId, visitId: `visit ${i}` });
    const session = newSession(handle, createdAt, given, lifetimes);
    const once = { key: `k${i}`, fingerprint: "r", response: JSON.stringify(given) };
    await store.create(session, at.now, once);
    // Some data fill several pages, some share one, and all replace earlier ones.
    for (const text of isTheirs ? [EARLIER, DATA] : ["earlier data", "data"]) {
      const json = JSON.stringify({ text, more: "x".repeat((i * 997) % 12_000) });
      const change = { kind: "replace", json } as const;
      const request = { handle, scope: "everyone", change, preconditions: {}, now: at.now } as const;
      assert.equal((await store.changeData(request)).outcome, "changed");
    }
    everybody.push(handle);
    if (isTheirs) theirs.push(handle);
  }
  for (let round = 0; round < 6; round++) {
    for (const handle of everybody) {
      const path = theirs.includes(handle) ? `${SECRET}/${round}` : `/${round}`;
      const attributes = { text: "x".repeat(round * 700) };
      assert.ok(store.enqueueRecords(handle, [record(path.slice(1), { attributes })], at.now));
    }
    await store.advanceClock(at.now);
    if (round === 5) break;
    // Merges the records into segments; those of the last round stay in the journal.
    at.now += 10_000;
    for (let quiet = 0; quiet < 3; ) quiet = (await store.purgeExpired(at.now)).hasMore ? 0 : quiet + 1;
  }
  return theirs;
}

test("after an erasure no file contains the customer's id, records or data", async () => {
  await using directory = temporaryDirectory();
  const at = { now: START };
  const store = open(directory.path, START);
  try {
    const theirs = await fill(store, at);
    // Earlier data may be overwritten already.
    for (const text of [CUSTOMER, SECRET, DATA])
      assert.ok(search(directory.path, [text]).length > 0, `${text} before the erasure`);
    await store.eraseSessions(theirs, at.now);
    assert.deepEqual(search(directory.path, SECRETS), []);
    assert.ok(search(directory.path, ["customer-who-stays-1"]).length > 0);
    const kept = await store.listSessions({
      filter: anySession,
      after: null,
      limit: 1000,
      now: at.now,
    });
    assert.equal(kept.sessions.length, 360);
  } finally {
    await store.close();
  }
  assert.deepEqual(search(directory.path, SECRETS), []);
});

test("an erasure while somebody reads succeeds, and the write-ahead log is cleared when the reader has ended", async () => {
  await using directory = temporaryDirectory();
  const at = { now: START };
  const store = open(directory.path, START);
  const reader = openForReading(join(directory.path, "antechamber.db"));
  try {
    const theirs = await fill(store, at);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM sessions").get();
    await store.eraseSessions(theirs, at.now);
    assert.ok(search(directory.path, [CUSTOMER]).length > 0, "the reader still needs the old state");
    reader.exec("COMMIT");
    await store.advanceClock(at.now);
    assert.deepEqual(search(directory.path, SECRETS), []);
  } finally {
    reader.close();
    await store.close();
  }
});

test("an hour after the expiry of its session no file contains its data", async () => {
  await using directory = temporaryDirectory();
  const at = { now: START };
  const store = open(directory.path, START);
  try {
    await fill(store, at);
    const purge = async () => {
      for (let quiet = 0; quiet < 3; ) quiet = (await store.purgeExpired(at.now)).hasMore ? 0 : quiet + 1;
    };
    for (const passed of [2 * HOUR, 30 * MINUTE, 30 * MINUTE]) {
      at.now += passed;
      await purge();
    }
    assert.deepEqual(search(directory.path, [DATA, EARLIER]), []);
    assert.ok(search(directory.path, [CUSTOMER]).length > 0, "the retention is not over");
  } finally {
    await store.close();
  }
});
