import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { databaseFile, openForWriting, prepareDatabase } from "../../src/store/sqlite/files/database.ts";
import { createIdHash } from "../../src/store/sqlite/index/id-hash.ts";
import { SecondaryIndex } from "../../src/store/sqlite/index/secondary-index.ts";
import { BLOCK_ENTRIES } from "../../src/store/sqlite/index/sorted-runs.ts";
import { ids } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Number of changes after which the index is merged: so small that every test merges and trims it several times. */
const MERGE_AT = 20;
const VISITS = 12;
const CUSTOMERS = 3;
const ALL = Number.MAX_SAFE_INTEGER;

/** The work of one transaction, and how the transaction ends. */
interface Step {
  readonly changes: readonly {
    readonly visit: number;
    readonly customer: number;
    readonly kind: "add" | "end" | "erase" | "delete";
  }[];
  readonly slices: number;
  /** True if the step does slices of a purge, false if of a merge. */
  readonly purges: boolean;
  readonly isCommitted: boolean;
  /** True if the process dies after the step and a new one starts. */
  readonly restarts: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  changes: fc.array(
    fc.record({
      visit: fc.nat(VISITS - 1),
      customer: fc.nat(CUSTOMERS - 1),
      kind: fc.constantFrom(
        "add" as const,
        "add" as const,
        "add" as const,
        "end" as const,
        "erase" as const,
        "delete" as const,
      ),
    }),
    { maxLength: 12 },
  ),
  slices: fc.constantFrom(0, 0, 1, 40, 300),
  purges: fc.boolean(),
  isCommitted: fc.boolean(),
  restarts: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

interface Known {
  readonly visit: string;
  readonly customer: string;
  readonly holds: boolean;
}

test("the index never misses a session, through merges, purges, rollbacks and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      await using directory = temporaryDirectory();
      prepareDatabase(directory.path, 0);
      let database = openForWriting(databaseFile(directory.path));
      let index = new SecondaryIndex(database, MERGE_AT);
      let known: ReadonlyMap<number, Known> = new Map();
      const erased = new Set<number>();
      const deleted = new Set<number>();
      let nextSession = 1;
      try {
        for (const { changes, slices, purges, isCommitted, restarts } of steps) {
          const next = new Map(known);
          const gone: number[] = [];
          const overdue: number[] = [];
          inTransaction(database, index, isCommitted, () => {
            for (const change of changes) {
              const visit = `visit ${change.visit}`;
              const customer = `customer ${change.customer}`;
              const [oldest] = [...next].find(([, one]) => one.visit === visit && one.holds) ?? [];
              if (change.kind === "add" || oldest === undefined) {
                const given = ids({ visitId: visit, customerId: customer });
                addRow(database, nextSession, visit, customer);
                index.add(nextSession, given, false);
                next.set(nextSession++, { visit, customer, holds: true });
              } else if (change.kind === "delete") {
                index.release(visit, oldest);
                database.prepare("DELETE FROM sessions WHERE id = ?").run(oldest);
                index.noteDeleted(oldest);
                next.delete(oldest);
                overdue.push(oldest);
              } else if (change.kind === "end") {
                index.release(visit, oldest);
                next.set(oldest, { ...(next.get(oldest) as Known), holds: false });
              } else {
                const { customer: owner } = next.get(oldest) as Known;
                index.remove(new Map([[oldest, ids({ visitId: visit, customerId: owner })]]));
                database.prepare("DELETE FROM sessions WHERE id = ?").run(oldest);
                next.delete(oldest);
                gone.push(oldest);
              }
              assertHolders(index, next);
            }
          });
          if (isCommitted) {
            known = next;
            for (const session of gone) erased.add(session);
            for (const session of overdue) deleted.add(session);
          }
          for (let i = 0; i < slices; i++) {
            const slice = () => (purges ? index.purge() : index.merge());
            inTransaction(database, index, i % 3 !== 2, slice);
          }
          if (restarts) {
            database.close();
            database = openForWriting(databaseFile(directory.path));
            index = new SecondaryIndex(database, MERGE_AT);
          }
          assertHolders(index, known);
          assertFound(index, known, { erased, deleted });
        }
        while (inTransaction(database, index, true, () => index.purge())) {
          // Purges until no entry of a deleted session is left.
        }
        assertFound(index, known, { erased: new Set([...erased, ...deleted]), deleted: new Set() });
        assertPurged(database, deleted);
      } finally {
        database.close();
      }
    }),
    { numRuns: 150 },
  );
});

test("merging empties the log, and a released visit leaves the table of holders", async () => {
  await using opened = openIndex();
  const { database, index } = opened;
  addRow(database, 1, "v1", "c");
  inTransaction(database, index, true, () => {
    for (let i = 1; i <= MERGE_AT; i++) index.add(i, ids({ visitId: `v${i}` }), false);
    index.release("v7", 7);
  });
  mergeAll(database, index);
  assert.equal(opened.count("index_log"), 0);
  assert.equal(opened.count("visit_holders"), MERGE_AT - 1);
  assert.deepEqual(index.holders("v7"), []);
  assert.deepEqual(index.holders("v8"), [8]);
  assert.deepEqual(index.sessions("visitId", "v7", ALL, 10), [7], "search still finds the session");
});

test("sessions with a caller's id are returned newest first, page by page", async () => {
  await using opened = openIndex(3000);
  const { database, index } = opened;
  addRow(database, 1, "v", "c");
  const all: number[] = [];
  for (let part = 0; part < 3; part++) {
    inTransaction(database, index, true, () => {
      for (let i = 0; i < 3000; i++) {
        const session = part * 3000 + i + 1;
        index.add(session, ids({ agentId: i % 2 === 0 ? "a" : "b" }), false);
        if (i % 2 === 0) all.unshift(session);
      }
    });
    if (part < 2) mergeAll(database, index);
  }
  assert.ok(opened.count("index_blocks") > (2 * 3000) / BLOCK_ENTRIES - 2);
  const found: number[] = [];
  for (let before = ALL; ; ) {
    const page = index.sessions("agentId", "a", before, 700);
    found.push(...page);
    if (page.length < 700) break;
    before = page.at(-1) as number;
  }
  assert.deepEqual(found, all);
});

test("a run of the index is dropped after its last session is deleted", async () => {
  await using opened = openIndex();
  const { database, index } = opened;
  addRow(database, 1000, "v", "c");
  for (let part = 0; part < 3; part++) {
    inTransaction(database, index, true, () => {
      for (let i = 1; i <= MERGE_AT; i++) index.add(part * 500 + i, ids({ customerId: "c" }), false);
    });
    mergeAll(database, index);
  }
  assert.equal(opened.count("index_runs"), 1, "only the run with sessions after 1000 is left");
  assert.equal(opened.count("index_blocks"), 1);
});

test("hashes equal the published test vectors of HalfSipHash-2-4", () => {
  // Hash key 00 01 … 07; inputs 00 01 02 … of 8, 12 and 14 bytes; the first 6 bytes of each output, as words.
  const hash = createIdHash(Uint8Array.from({ length: 8 }, (_, i) => i));
  const input = (bytes: number) =>
    String.fromCharCode(...Array.from({ length: (bytes - 4) / 2 }, (_, i) => 4 + 2 * i + 256 * (5 + 2 * i)));
  assert.equal(hash(0x03020100, input(8)).toString(16), "20e8feede4bc");
  assert.equal(hash(0x03020100, input(12)).toString(16), "9f1fc77bf5ae");
  assert.equal(hash(0x03020100, input(14)).toString(16), "70a8b13be8ea");
});

interface OpenIndex extends AsyncDisposable {
  readonly database: DatabaseSync;
  readonly index: SecondaryIndex;
  count(table: string): number;
}

function openIndex(mergeAt = MERGE_AT): OpenIndex {
  const directory = temporaryDirectory();
  prepareDatabase(directory.path, 0);
  const database = openForWriting(databaseFile(directory.path));
  return {
    database,
    index: new SecondaryIndex(database, mergeAt),
    count: (table) => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]),
    async [Symbol.asyncDispose]() {
      database.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

function addRow(database: DatabaseSync, id: number, visit: string, customer: string): void {
  database
    .prepare(
      `INSERT INTO sessions
         (id, random_high, random_low, active_after, expires_after, ended, generation, customer_id, visit_id)
       VALUES (?, 0, 0, 0, 0, 0, 0, ?, ?)`,
    )
    .run(id, customer, visit);
}

function mergeAll(database: DatabaseSync, index: SecondaryIndex): void {
  for (let more = true; more; ) {
    more = inTransaction(database, index, true, () => index.merge());
  }
}

function inTransaction<T>(database: DatabaseSync, index: SecondaryIndex, isCommitted: boolean, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  const result = work();
  database.exec(isCommitted ? "COMMIT" : "ROLLBACK");
  if (isCommitted) index.commit();
  else index.rollback();
  return result;
}

function assertHolders(index: SecondaryIndex, known: ReadonlyMap<number, Known>): void {
  for (const [session, { visit, holds }] of known) {
    if (holds) assert.ok(index.holders(visit).includes(session), `${visit}: ${session}`);
  }
}

/** Asserts that no table has entries of these sessions. */
function assertPurged(database: DatabaseSync, deleted: ReadonlySet<number>): void {
  const rows = database
    .prepare(
      "SELECT session FROM visit_holders UNION SELECT session FROM index_log UNION SELECT session FROM index_deleted",
    )
    .all();
  const blocks = database.prepare("SELECT entries FROM index_blocks").all();
  const entries = blocks.flatMap((row) => [
    ...new Float64Array((row["entries"] as Uint8Array).slice().buffer).filter((_, i) => i % 2 === 1),
  ]);
  for (const session of [...rows.map((row) => row["session"] as number), ...entries]) {
    assert.ok(!deleted.has(session), `session ${session} has an entry`);
  }
}

/** Asserts that no session is missing, and that no erased one is found. Other deleted ones may be, until the purge. */
function assertFound(
  index: SecondaryIndex,
  known: ReadonlyMap<number, Known>,
  { erased, deleted }: { erased: ReadonlySet<number>; deleted: ReadonlySet<number> },
): void {
  for (const [field, count] of [
    ["visitId", VISITS],
    ["customerId", CUSTOMERS],
  ] as const) {
    for (let i = 0; i < count; i++) {
      const id = `${field === "visitId" ? "visit" : "customer"} ${i}`;
      const expected = [...known]
        .filter(([, one]) => (field === "visitId" ? one.visit : one.customer) === id)
        .map(([session]) => session)
        .toSorted((a, b) => b - a);
      const found = index.sessions(field, id, ALL, 10_000);
      assert.deepEqual(
        found.filter((session) => !deleted.has(session)),
        expected,
        id,
      );
      assert.ok(
        found.every((session) => !erased.has(session)),
        "an erased session is found",
      );
    }
  }
}
