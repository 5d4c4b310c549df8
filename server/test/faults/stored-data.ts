import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Identity } from "@antechamber/client/protocol";

/** The data of the embedded engine as they lie on disk, read beside a running server or after it. */
export interface StoredData extends Disposable {
  /** What SQLite finds wrong with the file; `["ok"]` when nothing. */
  integrity(): string[];
  /** The ids of every session stored for one of these visits, live or not. */
  identitiesOfVisits(visitIds: readonly string[]): Identity[];
  /** Visits that more than one session holds which has not ended and lives beyond `now` (ms). */
  sharedVisits(now: number): string[];
  /** How many portions of records wait to be put in order. */
  unmergedRecords(): number;
  /** How many sessions are stored. */
  count(): number;
  /** How many of them expired before `now` (ms). */
  countExpired(now: number): number;
}

// Row keys are (creation time, ms since 2020-01-01) * 4096 + count, expiry is stored relative to it.
const EXPIRES_AT = "(id / 4096 + 1577836800000 + expires_after)";

/** Opens the data in the folder `dataDir`, for reading alone. */
export function openStoredData(dataDir: string): StoredData {
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  database.exec("PRAGMA busy_timeout = 5000");
  const rows = (sql: string, ...values: (string | number)[]) =>
    database.prepare(sql).all(...values);
  return {
    integrity: () => rows("PRAGMA integrity_check").map((row) => String(row["integrity_check"])),
    identitiesOfVisits(visitIds) {
      const found = rows(
        `SELECT agent_id, customer_id, visit_id, global_visit_id
         FROM sessions WHERE visit_id IN (SELECT value FROM json_each(?))`,
        JSON.stringify(visitIds),
      );
      return found.map((row) => ({
        agentId: row["agent_id"] as string | null,
        customerId: row["customer_id"] as string | null,
        visitId: row["visit_id"] as string | null,
        globalVisitId: row["global_visit_id"] as string | null,
      }));
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
    countExpired(now) {
      const [row] = rows(`SELECT count(*) AS n FROM sessions WHERE ${EXPIRES_AT} < ?`, now);
      return Number(row?.["n"]);
    },
    [Symbol.dispose]: () => database.close(),
  };
}

/**
 * Opens a copy, made in the folder `copy`, of data that no server is changing. For data in another
 * mount namespace: SQLite follows the links of a path, which lead it out of there.
 */
export function openCopyOfStoredData(dataDir: string, copy: string): StoredData {
  for (const name of ["antechamber.db", "antechamber.db-wal"]) {
    if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(copy, name));
  }
  return openStoredData(copy);
}
