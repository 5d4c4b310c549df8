import assert from "node:assert/strict";
import { test } from "node:test";
import { createIdIssuer } from "../../src/session/id.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { recordOf } from "../../src/store/record-line.ts";
import { databaseFile, openForWriting, prepareDatabase } from "../../src/store/sqlite/files/database.ts";
import { SecondaryIndex } from "../../src/store/sqlite/index/secondary-index.ts";
import { Journal } from "../../src/store/sqlite/records/journal.ts";
import { journalLine } from "../../src/store/sqlite/records/journal-lines.ts";
import { SegmentTable } from "../../src/store/sqlite/records/segment-table.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { SessionTable } from "../../src/store/sqlite/tables/session-table.ts";
import { DAY, lifetimes, SECOND, START } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { record, records } from "./contract/timeline.ts";

const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
const newHandle = () => issuer.issue(START).handle;

/** A journal on a connection of the test, so that the test controls the transactions. */
interface Bench extends Disposable {
  readonly journal: Journal;
  readonly segments: SegmentTable;
  commit(work: (journal: Journal) => void): void;
  rollBack(work: (journal: Journal) => void): void;
  /** Does `slices` slices of merging. Returns false if there is nothing more to do. */
  merge(slices: number, now: number): boolean;
  /** Returns the paths of all records of a session, in order. */
  paths(handle: string): string[];
  rows(): number;
}

/** Opens the data as after a crash: earlier transactions are committed, but their merges may be unfinished. */
function open(dataDir: string): Bench {
  prepareDatabase(dataDir, START);
  const database = openForWriting(databaseFile(dataDir));
  const sessions = new SessionTable(database, new SecondaryIndex(database));
  const segments = new SegmentTable(database, sessions, lifetimes, 10_000);
  const journal = new Journal(database, segments);
  const transaction = (end: "COMMIT" | "ROLLBACK") => (work: (journal: Journal) => void) => {
    database.exec("BEGIN IMMEDIATE");
    work(journal);
    database.exec(end);
    if (end === "COMMIT") journal.commit();
    else journal.rollback();
  };
  const commit = transaction("COMMIT");
  return {
    journal,
    segments,
    commit,
    rollBack: transaction("ROLLBACK"),
    merge(slices, now) {
      let more = false;
      for (let i = 0; i < slices; i++) {
        commit(() => {
          more = journal.merge(now);
        });
      }
      return more;
    },
    paths(handle) {
      const lines = [...segments.read(handle, 1, 10_000, 1e9), ...journal.unmerged(handle)];
      return lines.map((line) => recordOf(line).path);
    },
    rows: () => Number(database.prepare("SELECT count(*) AS n FROM journal").get()?.["n"]),
    [Symbol.dispose]: () => database.close(),
  };
}

const lines = (handle: string, from: number, to: number) =>
  records(from, to)
    .map((one) => journalLine(handle, one))
    .join("");
const paths = (from: number, to: number) => records(from, to).map(({ path }) => path);

test("the journal: a rollback removes its records, and does not affect later ones", async () => {
  await using directory = temporaryDirectory();
  const [handle, other] = [newHandle(), newHandle()];
  {
    using bench = open(directory.path);
    bench.commit((journal) => journal.append(lines(handle, 1, 2), START));
    bench.rollBack((journal) => {
      journal.append(lines(handle, 3, 9), START);
      journal.append(lines(other, 1, 1), START);
    });
    assert.deepEqual(bench.paths(handle), paths(1, 2));
    assert.deepEqual(bench.paths(other), []);
    // Merging begins before the number of the rolled back row is reused.
    bench.merge(2, START + 6 * SECOND);
    bench.commit((journal) => journal.append(lines(handle, 3, 4), START + 6 * SECOND));
    assert.deepEqual(bench.paths(handle), paths(1, 4));
    bench.merge(5, START + 6 * SECOND);
    assert.deepEqual(bench.paths(handle), paths(1, 4));
  }
  using bench = open(directory.path);
  assert.deepEqual(bench.paths(handle), paths(1, 4));
});

test("the journal: a crash after any slice of merging neither loses nor repeats records", async () => {
  const made = Array.from({ length: 300 }, newHandle);
  for (let slices = 0; slices < 14; slices++) {
    await using directory = temporaryDirectory();
    {
      using bench = open(directory.path);
      for (let from = 1; from <= 9; from += 3) {
        for (const handle of made) {
          bench.commit((journal) => journal.append(lines(handle, from, from + 2), START));
        }
      }
      bench.merge(slices, START + 6 * SECOND);
      // These records arrive during the merge.
      for (const handle of made) {
        bench.commit((journal) => journal.append(lines(handle, 10, 11), START + 7 * SECOND));
      }
      bench.merge(slices % 3, START + 7 * SECOND);
    }
    for (let crash = 0; crash < 3; crash++) {
      using bench = open(directory.path);
      for (const handle of made) assert.deepEqual(bench.paths(handle), paths(1, 11), `${slices} slices`);
      bench.merge(1 + crash, START);
      for (const handle of made) assert.deepEqual(bench.paths(handle), paths(1, 11), `${slices} slices`);
    }
    using bench = open(directory.path);
    bench.commit((journal) => journal.append(lines(newHandle(), 1, 1), START));
    bench.merge(1000, START + 6 * SECOND);
    for (const handle of made) assert.deepEqual(bench.paths(handle), paths(1, 11));
    assert.equal(bench.rows(), 0, "merged rows are deleted");
    for (const handle of made) assert.equal(bench.segments.counts(handle).records, 11);
  }
});

test("the journal: a slice of merging that is rolled back is repeated", async () => {
  await using directory = temporaryDirectory();
  const made = Array.from({ length: 300 }, newHandle);
  using bench = open(directory.path);
  for (const handle of made) bench.commit((journal) => journal.append(lines(handle, 1, 3), START));
  bench.merge(1, START + 6 * SECOND);
  for (let i = 0; i < 40; i++) {
    bench.rollBack((journal) => void journal.merge(START + 6 * SECOND));
    for (const handle of made.slice(0, 10)) assert.deepEqual(bench.paths(handle), paths(1, 3));
    bench.merge(1, START + 6 * SECOND);
  }
  for (const handle of made) assert.deepEqual(bench.paths(handle), paths(1, 3));
});

test("the journal: merging many small rows takes few slices", async () => {
  await using directory = temporaryDirectory();
  const handle = newHandle();
  using bench = open(directory.path);
  // Thousands of simultaneous durable requests are committed together, each as a row of its own.
  bench.commit((journal) => {
    for (let i = 1; i <= 20_000; i++) journal.append(lines(handle, i, i), START);
  });
  bench.merge(1, START + 6 * SECOND);
  let slices = 1;
  while (bench.merge(1, START + 6 * SECOND)) slices++;
  assert.equal(bench.rows(), 0);
  assert.ok(slices < 300, `it took ${slices} slices`);
  assert.equal(bench.segments.counts(handle).records, 20_000);
});

function openStore(dataDir: string, maxRecords: number): StoreEngine {
  return openSqliteStore({
    dataDir,
    lifetimes,
    maxRecords,
    retention: DAY,
    eventRetention: DAY,
    cacheSessions: 10,
    maxPending: 100,
    timeout: 10_000,
    events: unheard,
    now: START,
  });
}

test("when the maximum number of records is raised, dropped records do not shift the others", async () => {
  await using directory = temporaryDirectory();
  const handle = newHandle();
  let total = 0;
  for (const maxRecords of [20, 1000, 5, 50, 10_000, 1]) {
    const store = openStore(directory.path, maxRecords);
    for (const count of [30, 1]) {
      store.enqueueRecords(handle, records(total + 1, total + count), START);
      total += count;
      await store.advanceClock(START);
      for (let i = 0; i < 10; i++) await store.purgeExpired(START + 6 * SECOND);
      const request = { handle, scope: "everyone", limit: 1000, now: START } as const;
      const found = await store.readRecordPage({ ...request, after: 0 });
      assert.ok(found !== undefined);
      assert.equal(found.total, total);
      assert.ok(found.dropped >= total - maxRecords);
      assert.equal(found.first, found.dropped + 1);
      assert.deepEqual(found.records, records(found.first, total), `keeping ${maxRecords}`);
      const last = await store.readRecordPage({ ...request, after: total - 1 });
      assert.deepEqual(last?.records, [record(total)]);
    }
    await store.close();
  }
});

test("records are refused while the buffer is full, and accepted ones are stored", async () => {
  await using directory = temporaryDirectory();
  const store = openStore(directory.path, 100_000);
  const handle = newHandle();
  const long = Array.from({ length: 500 }, (_, i) => record(i, { service: "x".repeat(8000) }));
  let accepted = 0;
  while (store.enqueueRecords(handle, long, START)) accepted += long.length;
  assert.ok(accepted > 0 && accepted < 20_000, `${accepted} were accepted`);
  await store.advanceClock(START);
  assert.equal(store.enqueueRecords(handle, [record("later")], START), true);
  const found = await store.readRecordPage({
    handle,
    scope: "everyone",
    after: accepted,
    limit: 5,
    now: START,
  });
  assert.equal(found?.total, accepted + 1);
  assert.deepEqual(found.records, [record("later")]);
  await store.close();
});
