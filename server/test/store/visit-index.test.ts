import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { databaseFile, openForWriting, prepareDatabase } from "../../src/store/sqlite/database.ts";
import { createVisitIndex, type VisitIndex } from "../../src/store/sqlite/visit-index.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Merging begins after so few claims here that every run merges and trims several times. */
const MERGE_AT = 20;
const VISITS = 12;

/** What a transaction does, and how it ends. */
interface Step {
  readonly changes: readonly { readonly visit: number; readonly isEnd: boolean }[];
  readonly slices: number;
  readonly isCommitted: boolean;
  /** The process dies afterwards, and a new one starts. */
  readonly restarts: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  changes: fc.array(fc.record({ visit: fc.nat(VISITS - 1), isEnd: fc.boolean() }), {
    maxLength: 12,
  }),
  slices: fc.constantFrom(0, 0, 1, 40, 300),
  isCommitted: fc.boolean(),
  restarts: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

test("no holder of a visit is ever missed, through merges, failed transactions and restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      await using directory = temporaryDirectory();
      prepareDatabase(directory.path, 0);
      let database = openForWriting(databaseFile(directory.path));
      let index = createVisitIndex(database, MERGE_AT);
      /** Sessions that hold each visit, as far as it was committed. */
      let held: ReadonlyMap<string, readonly number[]> = new Map();
      let nextSession = 1;
      try {
        for (const { changes, slices, isCommitted, restarts } of steps) {
          const next = new Map(held);
          inTransaction(database, index, isCommitted, () => {
            for (const { visit, isEnd } of changes) {
              const name = `visit ${visit}`;
              const [oldest, ...others] = next.get(name) ?? [];
              if (isEnd && oldest !== undefined) {
                index.remove(name, oldest);
                next.set(name, others);
              } else {
                index.add(name, nextSession);
                next.set(name, [...(next.get(name) ?? []), nextSession++]);
              }
              assertFound(index, next);
            }
          });
          if (isCommitted) held = next;
          for (let i = 0; i < slices; i++) {
            inTransaction(database, index, i % 3 !== 2, () => index.maintain());
          }
          if (restarts) {
            database.close();
            database = openForWriting(databaseFile(directory.path));
            index = createVisitIndex(database, MERGE_AT);
          }
          assertFound(index, held);
        }
      } finally {
        database.close();
      }
    }),
    { numRuns: 150 },
  );
});

test("what was merged leaves the log, and a session that let go leaves the index", async () => {
  await using directory = temporaryDirectory();
  prepareDatabase(directory.path, 0);
  const database = openForWriting(databaseFile(directory.path));
  try {
    const index = createVisitIndex(database, MERGE_AT);
    inTransaction(database, index, true, () => {
      for (let session = 0; session < MERGE_AT; session++) index.add(`v${session}`, session);
      index.remove("v7", 7);
    });
    let more = true;
    while (more) {
      more = inTransaction(database, index, true, () => index.maintain());
    }
    const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get();
    assert.deepEqual({ ...count("visit_log") }, { n: 0 });
    assert.deepEqual({ ...count("visits") }, { n: MERGE_AT - 1 });
    assert.deepEqual(index.candidates("v7"), []);
    assert.deepEqual(index.candidates("v8"), [8]);
  } finally {
    database.close();
  }
});

function inTransaction<T>(
  database: DatabaseSync,
  index: VisitIndex,
  isCommitted: boolean,
  work: () => T,
): T {
  database.exec("BEGIN IMMEDIATE");
  const result = work();
  database.exec(isCommitted ? "COMMIT" : "ROLLBACK");
  index.settle(isCommitted);
  return result;
}

function assertFound(index: VisitIndex, held: ReadonlyMap<string, readonly number[]>): void {
  for (const [visit, sessions] of held) {
    const candidates = index.candidates(visit);
    for (const session of sessions) assert.ok(candidates.includes(session), `${visit}: ${session}`);
  }
}
