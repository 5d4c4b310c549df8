import type { DatabaseSync } from "node:sqlite";
import type { Lifetimes } from "../../../session/lifetime.ts";
import { sqlOf } from "../statements.ts";
import { implicitSessionOf, isRowOf, keyOf } from "../tables/session-row.ts";
import type { SessionTable } from "../tables/session-table.ts";
import { Stateless } from "../transactional.ts";

/** The maximum records in a row. It is small, so that a page of records needs few records that are not on the page. */
const MAX_LINES = 256;

/** The columns of a session's row that count its records. */
interface RecordCounts {
  /** The number of records that were merged into segments, including dropped ones. */
  readonly records: number;
  /** The last row of the journal that was merged into the segments. */
  readonly journaled: number;
}

/** The table `segments`: records by session. If there are more than `maxRecords`, the oldest are dropped. */
export class SegmentTable extends Stateless {
  readonly #sessions: SessionTable;
  readonly #lifetimes: Lifetimes;
  readonly #maxRecords: number;
  readonly #sql;

  constructor(database: DatabaseSync, sessions: SessionTable, lifetimes: Lifetimes, maxRecords: number) {
    super();
    this.#sessions = sessions;
    this.#lifetimes = lifetimes;
    this.#maxRecords = maxRecords;
    const sql = sqlOf(database);
    this.#sql = {
      counts: sql`SELECT random_high, random_low, records, journaled FROM sessions WHERE id = ?`,
      setCounts: sql`UPDATE sessions SET records = ?, journaled = ? WHERE id = ?`,
      insert: sql`INSERT INTO segments (session, first, count, lines) VALUES (?, ?, ?, ?)`,
      segmentsFrom: sql`SELECT first, lines FROM segments WHERE session = ?1 AND first >= ifnull(
           (SELECT max(first) FROM segments WHERE session = ?1 AND first <= ?2), 0)
         ORDER BY first`,
      oldest: sql`SELECT min(first) AS first FROM segments WHERE session = ?`,
      drop: sql`DELETE FROM segments WHERE session = ?1 AND first < ?2 AND first + count <= ?2`,
      remove: sql`DELETE FROM segments WHERE session = ?1 AND first IN
         (SELECT first FROM segments WHERE session = ?1 LIMIT ?2)`,
    };
  }

  /** Returns the counts of a session; zeros if it is not stored. */
  counts(handle: string): RecordCounts {
    return this.#counts(handle) ?? { records: 0, journaled: 0 };
  }

  /** Returns the number of records of a session that were dropped. */
  dropped(handle: string): number {
    return ((this.#sql.oldest.get(keyOf(handle))?.["first"] ?? 1) as number) - 1;
  }

  /** Appends journal lines of a session to its segments, and stores that lines up to row `journaled` are merged. */
  append(handle: string, lines: readonly string[], journaled: number): void {
    const counts = this.#counts(handle);
    // `insert` returns false if another session has the same row key (see `createSessionReader`). Then the records
    // cannot be stored.
    if (counts === undefined && !this.#sessions.insert(implicitSessionOf(handle, this.#lifetimes))) return;
    const before = counts?.records ?? 0;
    const total = before + lines.length;
    const key = keyOf(handle);
    const dropped = Math.max(0, total - this.#maxRecords);
    const kept = lines.slice(Math.max(0, dropped - before));
    this.#insert(key, total - kept.length + 1, kept);
    this.#sql.setCounts.run(total, journaled, key);
    if (dropped > 0) this.#sql.drop.run(key, dropped + 1);
  }

  /**
   * Appends records that another store exported, except those that are stored already. `first` is the sequence of the
   * first line. Does nothing if the session is not stored.
   */
  import(handle: string, first: number, lines: readonly string[]): void {
    const counts = this.#counts(handle);
    if (counts === undefined || first + lines.length - 1 <= counts.records) return;
    if (first > counts.records + 1) {
      // The exporting store had dropped the records between those stored here and `first`. So it had also dropped
      // those stored here, which are older.
      this.remove(keyOf(handle), Number.MAX_SAFE_INTEGER);
      this.#sql.setCounts.run(first - 1, counts.journaled, keyOf(handle));
    }
    this.append(handle, lines.slice(Math.max(0, counts.records + 1 - first)), counts.journaled);
  }

  /**
   * Returns at most `limit` lines of a session, beginning with the sequence `from`. Once the lines have
   * `maxCharacters` characters, no more are added. The first line is always returned.
   */
  read(handle: string, from: number, limit: number, maxCharacters: number): string[] {
    const lines: string[] = [];
    let room = maxCharacters;
    for (const row of this.#sql.segmentsFrom.iterate(keyOf(handle), from)) {
      const all = (row["lines"] as string).split("\n");
      for (const line of all.slice(Math.max(0, from - (row["first"] as number)))) {
        if (lines.length === limit || room <= 0) return lines;
        lines.push(line);
        room -= line.length;
      }
    }
    return lines;
  }

  /** Deletes at most `limit` rows of a session. `session` is its row key. Returns the number of deleted rows. */
  remove(session: number, limit: number): number {
    return Number(this.#sql.remove.run(session, limit).changes);
  }

  #counts(handle: string): RecordCounts | undefined {
    const row = this.#sql.counts.get(keyOf(handle));
    if (row === undefined || !isRowOf(handle, row["random_high"] as number, row["random_low"] as number))
      return undefined;
    return row as unknown as RecordCounts;
  }

  #insert(key: number, first: number, lines: readonly string[]): void {
    for (let i = 0; i < lines.length; i += MAX_LINES) {
      const part = lines.slice(i, i + MAX_LINES);
      this.#sql.insert.run(key, first + i, part.length, part.join("\n"));
    }
  }
}
