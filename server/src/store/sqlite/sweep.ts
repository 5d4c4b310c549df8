import type { DatabaseSync } from "node:sqlite";
import type { Lifetimes } from "../../session/lifetime.ts";
import type { Slice } from "../store.ts";
import { EPOCH, KEYS_PER_MS } from "./rows.ts";

/** How many rows a slice looks at, and how many of them it deletes at the most. */
const ROWS_LOOKED_AT = 2048;
const ROWS_DELETED = 128;

/**
 * Deletes what has expired, a slice at a call inside the caller's transaction, going round the table in the order of creation: it
 * needs no index of expiries, which every renewal would have to update.
 *
 * A row is kept until its id has expired as an anonymous session too. Else a session that ended, or
 * that expired early because recognized ones live shorter, would rise again as a blank one.
 */
export function createSweep(database: DatabaseSync, lifetimes: Lifetimes): (now: number) => Slice {
  const idLife = Math.min(lifetimes.anonymous.idle, lifetimes.anonymous.total);
  const windowEnd = database.prepare(
    "SELECT max(id) AS id FROM (SELECT id FROM sessions WHERE id > ? ORDER BY id LIMIT ?)",
  );
  const expired = database.prepare(
    `SELECT id FROM sessions WHERE id > ? AND id <= ?
     AND max(expires_after, ?) <= ? - ${EPOCH} - id / ${KEYS_PER_MS} ORDER BY id LIMIT ?`,
  );
  const remove = database.prepare("DELETE FROM sessions WHERE id = ?");
  let cursor = Number.MIN_SAFE_INTEGER;

  return (now) => {
    const end = windowEnd.get(cursor, ROWS_LOOKED_AT)?.["id"] as number | null;
    if (end === null) {
      cursor = Number.MIN_SAFE_INTEGER;
      return { deleted: 0, isFull: false };
    }
    const rows = expired.all(cursor, end, idLife, now, ROWS_DELETED);
    const isFull = rows.length === ROWS_DELETED;
    for (const row of rows) remove.run(row["id"] as number);
    cursor = isFull ? (rows[ROWS_DELETED - 1]?.["id"] as number) : end;
    return { deleted: rows.length, isFull };
  };
}
