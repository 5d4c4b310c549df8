import type { DatabaseSync } from "node:sqlite";
import type { Lifetimes } from "../../session/lifetime.ts";
import type { Slice } from "../store.ts";
import { EPOCH, KEYS_PER_MS } from "./rows.ts";
import type { VisitIndex } from "./visit-index.ts";

/** How many rows a slice looks at, and how many of them it deletes at the most. */
const ROWS_LOOKED_AT = 2048;
const ROWS_DELETED = 512;

/**
 * Deletes what has expired and tends the index of visits, a slice at a call inside the caller's
 * transaction. It goes round the table in the order of creation, and so needs no index of expiries,
 * which every renewal would have to update.
 *
 * A row is kept until its id has expired as an anonymous session too. Else a session that ended, or
 * that expired early because recognized ones live shorter, would rise again as a blank one.
 */
export function createSweep(
  database: DatabaseSync,
  visits: VisitIndex,
  lifetimes: Lifetimes,
): (now: number) => Slice {
  const idLife = Math.min(lifetimes.anonymous.idle, lifetimes.anonymous.total);
  const windowEnd = database.prepare(
    `SELECT max(id) AS id FROM
     (SELECT id FROM sessions WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)`,
  );
  const expired = database.prepare(
    `SELECT id, visit_id, ended FROM sessions WHERE id > ? AND id <= ?
     AND max(expires_after, ?) <= ? - ${EPOCH} - id / ${KEYS_PER_MS} ORDER BY id LIMIT ?`,
  );
  const remove = database.prepare("DELETE FROM sessions WHERE id = ?");
  /** Where the pass has come to, and where it ends: a moving end would be run after for ever. */
  let cursor = 0;
  let passEnd = 0;

  function removeExpired(now: number): Slice {
    if (cursor >= passEnd) {
      cursor = Number.MIN_SAFE_INTEGER;
      // Younger rows are kept whatever they hold.
      passEnd = (now - idLife - EPOCH) * KEYS_PER_MS;
    }
    const end = windowEnd.get(cursor, passEnd, ROWS_LOOKED_AT)?.["id"] as number | null;
    if (end === null) {
      cursor = passEnd;
      return { deleted: 0, isFull: false };
    }
    const rows = expired.all(cursor, end, idLife, now, ROWS_DELETED);
    for (const row of rows) {
      const key = row["id"] as number;
      remove.run(key);
      const visitId = row["visit_id"] as string | null;
      // One that was ended has let go of its visit already.
      if (visitId !== null && row["ended"] === 0) visits.remove(visitId, key);
    }
    const isFull = rows.length === ROWS_DELETED;
    cursor = isFull ? (rows[ROWS_DELETED - 1]?.["id"] as number) : end;
    return { deleted: rows.length, isFull };
  }

  return (now) => {
    const isMerging = visits.maintain();
    const slice = removeExpired(now);
    return { deleted: slice.deleted, isFull: slice.isFull || isMerging };
  };
}
