import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Identity } from "@antechamber/client/protocol";
import { idFieldTable } from "../../src/session/fields.ts";
import { identityOf } from "../../src/session/session.ts";

/** The database of the SQLite engine, read directly; a server may be using it. */
export interface StoredData extends Disposable {
  /** Returns the result of SQLite's integrity check: `["ok"]` if the file is intact. */
  integrity(): string[];
  /** Returns the identities of all stored sessions with one of these visits, live or not. */
  identitiesOfVisits(visitIds: readonly string[]): Identity[];
  /** Returns the visits that two or more live sessions have at `now` (Unix ms). */
  sharedVisits(now: number): string[];
  /** Returns the number of record batches that are not compacted yet. */
  unmergedRecords(): number;
  /** Returns the number of stored sessions. */
  count(): number;
  /** Returns by how much the stored number of live sessions is wrong. */
  liveCountError(): number;
  /** Returns the number of sessions that expired before `now` (Unix ms). */
  countExpired(now: number): number;
}

// A row id is (creation time in ms since 2020-01-01) * 4096 + count. `expires_after` is relative to the creation.
const EXPIRES_AT = "(id / 4096 + 1577836800000 + expires_after)";

/** Opens the database of a data folder read-only. */
export function openStoredData(dataDir: string): StoredData {
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  database.exec("PRAGMA busy_timeout = 30000");
  const rows = (sql: string, ...values: (string | number)[]) => database.prepare(sql).all(...values);
  return {
    integrity: () => rows("PRAGMA integrity_check").map((row) => String(row["integrity_check"])),
    identitiesOfVisits(visitIds) {
      const found = rows(
        `SELECT * FROM sessions WHERE visit_id IN (SELECT value FROM json_each(?))`,
        JSON.stringify(visitIds),
      );
      return found.map((row) => identityOf((field) => row[idFieldTable[field].column] as string | null));
    },
    sharedVisits(now) {
      const shared = rows(
        `SELECT visit_id FROM sessions WHERE visit_id IS NOT NULL AND ended = 0 AND ${EXPIRES_AT} > ?
         GROUP BY visit_id HAVING count(*) > 1`,
        now,
      );
      return shared.map((row) => String(row["visit_id"]));
    },
    unmergedRecords: () => Number(rows("SELECT count(*) AS n FROM journal")[0]?.["n"]),
    count: () => Number(rows("SELECT count(*) AS n FROM sessions")[0]?.["n"]),
    liveCountError: () =>
      Number(rows("SELECT live_count - (SELECT count(*) FROM sessions WHERE ended = 0) AS n FROM facts")[0]?.["n"]),
    countExpired(now) {
      const [row] = rows(`SELECT count(*) AS n FROM sessions WHERE ${EXPIRES_AT} < ?`, now);
      return Number(row?.["n"]);
    },
    [Symbol.dispose]: () => database.close(),
  };
}

/**
 * Copies data that no server is changing into the folder `copy` and opens the copy. SQLite could not open data in
 * another mount namespace directly, since it resolves the symbolic links in the path.
 */
export function openCopyOfStoredData(dataDir: string, copy: string): StoredData {
  for (const name of ["antechamber.db", "antechamber.db-wal"]) {
    if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(copy, name));
  }
  return openStoredData(copy);
}
