import type { DatabaseSync } from "node:sqlite";
import type { Lifetimes } from "../../session/lifetime.ts";
import { describedById, keyOf, tailOf } from "./rows.ts";
import type { SessionTable } from "./session-table.ts";

/** The requests of sessions as they lie in `segments`, on the writer's connection. */
export interface SegmentTable {
  /** How many requests of the session are there, those that were let go included. */
  count(id: string): number;
  /** How many of them, the oldest, are not there any more. */
  missing(id: string): number;
  /** The last row of the journal of which the session's requests are there. */
  mergedTo(id: string): number;
  /** Puts lines from the journal, up to its row `journaled`, after those that are there. */
  append(id: string, lines: readonly string[], journaled: number): void;
  /**
   * Puts lines of another store, the first of which has the sequence `first`, after those that are
   * there, as far as they are new. Nothing, when there is no such session.
   */
  adopt(id: string, first: number, lines: readonly string[]): void;
  /**
   * Lines of the session from the sequence `from` on, at most `limit`; stops, after one at the least,
   * once they have `characters`.
   */
  read(id: string, from: number, limit: number, characters: number): string[];
  /** Deletes at most `limit` rows of a session by its row key, and gives how many. */
  remove(session: number, limit: number): number;
}

/** What one row holds at the most, so that reading a page reads little more than the page. */
const MAX_LINES = 256;

/** Records of a session from `maxRecords` on let the oldest go. */
export function createSegmentTable(
  database: DatabaseSync,
  sessions: SessionTable,
  lifetimes: Lifetimes,
  maxRecords: number,
): SegmentTable {
  const facts = database.prepare("SELECT tail, records, journaled FROM sessions WHERE id = ?");
  const insert = database.prepare(
    "INSERT INTO segments (session, first, count, lines) VALUES (?, ?, ?, ?)",
  );
  const count = database.prepare("UPDATE sessions SET records = ?, journaled = ? WHERE id = ?");
  const drop = database.prepare(
    "DELETE FROM segments WHERE session = ?1 AND first < ?2 AND first + count <= ?2",
  );
  const rows = database.prepare(
    `SELECT first, lines FROM segments WHERE session = ?1 AND first >= ifnull(
       (SELECT max(first) FROM segments WHERE session = ?1 AND first <= ?2), 0)
     ORDER BY first`,
  );
  const oldest = database.prepare("SELECT min(first) AS first FROM segments WHERE session = ?");
  const forget = database.prepare("DELETE FROM segments WHERE session = ?");
  const remove = database.prepare(
    `DELETE FROM segments WHERE session = ?1 AND first IN
     (SELECT first FROM segments WHERE session = ?1 LIMIT ?2)`,
  );

  function factsOf(id: string): { records: number; journaled: number } | undefined {
    const row = facts.get(keyOf(id));
    if (row === undefined || row["tail"] !== tailOf(id)) return undefined;
    return { records: row["records"] as number, journaled: row["journaled"] as number };
  }

  function insertLines(key: number, first: number, lines: readonly string[]): void {
    for (let i = 0; i < lines.length; i += MAX_LINES) {
      const part = lines.slice(i, i + MAX_LINES);
      insert.run(key, first + i, part.length, part.join("\n"));
    }
  }

  function append(id: string, lines: readonly string[], journaled: number): void {
    const known = factsOf(id);
    // Another session has its key (see `createSessionReader`): there is no place for this one.
    if (known === undefined && !sessions.insert(describedById(id, lifetimes))) return;
    const before = known?.records ?? 0;
    const total = before + lines.length;
    const key = keyOf(id);
    const dropped = Math.max(0, total - maxRecords);
    const kept = lines.slice(Math.max(0, dropped - before));
    insertLines(key, total - kept.length + 1, kept);
    count.run(total, journaled, key);
    if (dropped > 0) drop.run(key, dropped + 1);
  }

  return {
    count: (id) => factsOf(id)?.records ?? 0,
    missing: (id) => ((oldest.get(keyOf(id))?.["first"] ?? 1) as number) - 1,
    mergedTo: (id) => factsOf(id)?.journaled ?? 0,

    append,

    adopt(id, first, lines) {
      const known = factsOf(id);
      if (known === undefined || first + lines.length - 1 <= known.records) return;
      if (first > known.records + 1) {
        // What lies between was let go there, and with it all that is here.
        forget.run(keyOf(id));
        count.run(first - 1, known.journaled, keyOf(id));
      }
      append(id, lines.slice(Math.max(0, known.records + 1 - first)), known.journaled);
    },

    read(id, from, limit, characters) {
      const lines: string[] = [];
      let room = characters;
      for (const row of rows.iterate(keyOf(id), from)) {
        const first = row["first"] as number;
        const all = (row["lines"] as string).split("\n");
        for (const line of all.slice(Math.max(0, from - first))) {
          if (lines.length === limit || room <= 0) return lines;
          lines.push(line);
          room -= line.length;
        }
      }
      return lines;
    },

    remove: (session, limit) => Number(remove.run(session, limit).changes),
  };
}
