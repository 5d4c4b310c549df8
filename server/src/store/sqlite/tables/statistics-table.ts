import type { DatabaseSync } from "node:sqlite";
import type { StatisticsRow } from "../../../session/statistics.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";

/** Maximum number of rows that are purged with each call. Normally a minute of them is due. */
const PURGED = 64;

/** The table `statistics` on the writer's connection. */
export class StatisticsTable extends Stateless {
  readonly #sql;

  constructor(database: DatabaseSync) {
    super();
    const sql = sqlOf(database);
    this.#sql = {
      replace: sql`INSERT INTO statistics (minute, source, counts) VALUES (?, ?, ?)
         ON CONFLICT (minute, source) DO UPDATE SET counts = excluded.counts`,
      purge: sql`DELETE FROM statistics WHERE id IN
         (SELECT id FROM statistics WHERE minute < ? ORDER BY minute LIMIT ${PURGED})`,
    };
  }

  /** Stores rows, and purges some of those before the minute `keepFrom`. */
  store(rows: readonly StatisticsRow[], keepFrom: number): void {
    for (const { minute, source, counts } of rows) this.#sql.replace.run(minute, source, counts);
    this.#sql.purge.run(keepFrom);
  }
}

/** Reads the rows of the minutes from `from` to before `to`. */
export function readStatistics(database: DatabaseSync, from: number, to: number): StatisticsRow[] {
  const rows = database.prepare(
    "SELECT minute, source, counts FROM statistics WHERE minute >= ? AND minute < ? ORDER BY minute, source",
  );
  return rows.all(from, to).map((row) => ({ ...row }) as unknown as StatisticsRow);
}

/** Reads the number of sessions that have not ended and were not found expired yet. */
export function readLiveCount(database: DatabaseSync): number {
  return database.prepare("SELECT live_count FROM facts").get()?.["live_count"] as number;
}
