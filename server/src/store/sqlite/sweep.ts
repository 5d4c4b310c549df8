import type { DatabaseSync } from "node:sqlite";
import { ANSWERS_SWEPT } from "./answers.ts";
import type { Tables } from "./apply.ts";
import type { SweepSlice } from "./changes.ts";
import { EPOCH, idOf, KEYS_PER_MS } from "./rows.ts";
import type { WriterOptions } from "./writer.ts";

/** How many rows a slice looks at, and how many of them it deals with at the most. */
const ROWS_LOOKED_AT = 2048;
const ROWS_SWEPT = 512;
/** How many rows of records a slice deletes. */
const SEGMENTS_SWEPT = 256;

/**
 * While records move to their sessions, slices come one right after the other: so many of them do not look
 * for what is over. Where there is none, or little, it is found as soon as between two pauses.
 */
const NOT_LOOKING = 15;

/** The values of the column `ended`: how far a session has come. */
const UNTIL_EXPIRY = 0;
/** It has expired, and the sweep has seen to it. */
const SEEN_EXPIRED = 2;

/**
 * How long (ms) after the first deletion its remains in the index of ids and in the write-ahead log are
 * removed as well; earlier if the retention is shorter.
 */
const CLEAR_AFTER = { most: 10 * 60_000, least: 1000 };

interface Row {
  readonly id: number;
  readonly tail: string;
  readonly visit_id: string | null;
  /** 1: it has an id of a caller, and so entries in the index. */
  readonly indexed: number;
  readonly ended: number;
  /** 1: nothing is told of it, so nothing is to be kept. */
  readonly idle: number;
  /** 1: the retention is over. */
  readonly outdated: number;
}

/**
 * Lets go of what is over, a slice at a call inside the caller's transaction. It goes round the table
 * in the order of creation, and so needs no index of expiries, which every renewal would have to
 * update. What it comes upon:
 *
 *   live --time--> expired: its visit leaves the index --retention--> gone, and its records
 *     `--end--> ended -----------------------------------retention--> gone, and its records
 *   one that never had an id or a record goes when it is over
 *
 * Deleted sessions leave entries in the index of ids, and older pages in the write-ahead log. Both are
 * cleared for many sessions at a time, at the latest ten minutes after the first deletion, even if nothing
 * else changes any more. If nothing was deleted there is nothing to do.
 *
 * A row is kept until its id has expired as an anonymous session too. Else a session that ended, or
 * that expired early because recognized ones live shorter, would rise again as a blank one.
 */
export function createSweep(
  database: DatabaseSync,
  { ids, sessions, segments, journal, answers }: Tables,
  { lifetimes, retention }: WriterOptions,
): (now: number, sweepTime: number) => SweepSlice {
  const clearAfter = Math.min(CLEAR_AFTER.most, Math.max(CLEAR_AFTER.least, retention));
  const idLife = Math.min(lifetimes.anonymous.idle, lifetimes.anonymous.total);
  const windowEnd = database.prepare(
    `SELECT max(id) AS id FROM
     (SELECT id FROM sessions WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)`,
  );
  // ?3 is the age of an id that is no session any more, ?4 the time, ?5 the retention.
  const over = database.prepare(
    `SELECT * FROM (
       SELECT id, tail, visit_id, ended,
         coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NOT NULL AS indexed,
         records = 0 AND agent_id IS NULL AND customer_id IS NULL AND visit_id IS NULL
           AND global_visit_id IS NULL AS idle,
         expires_after + ?5 <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS} AS outdated
       FROM sessions WHERE id > ?1 AND id <= ?2
         AND max(expires_after, ?3) <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS})
     WHERE ended = ${UNTIL_EXPIRY} OR idle OR outdated ORDER BY id LIMIT ${ROWS_SWEPT}`,
  );
  const mark = database.prepare(`UPDATE sessions SET ended = ${SEEN_EXPIRED} WHERE id = ?`);
  /** Where the pass has come to, and where it ends: a moving end would be run after for ever. */
  let cursor = 0;
  let passEnd = 0;

  /** When the first session to be cleared was deleted; sessions left by an earlier process are due at once. */
  let deletedAt = ids.purged < ids.forgotten ? Number.NEGATIVE_INFINITY : undefined;

  function isClearingDue(now: number): boolean {
    return ids.isPurging || (deletedAt !== undefined && now - deletedAt >= clearAfter);
  }

  function sweepSessions(now: number): SweepSlice {
    if (cursor >= passEnd) {
      cursor = Number.MIN_SAFE_INTEGER;
      // Younger rows are kept whatever they hold.
      passEnd = (now - idLife - EPOCH) * KEYS_PER_MS;
    }
    const end = windowEnd.get(cursor, passEnd, ROWS_LOOKED_AT)?.["id"] as number | null;
    if (end === null) {
      cursor = passEnd;
      return { expired: 0, hasMore: false };
    }
    const rows = over.all(cursor, end, idLife, now, retention) as unknown as Row[];
    const isFull = rows.length === ROWS_SWEPT;
    if (rows.some((row) => row.outdated === 1 || row.idle === 1)) deletedAt ??= now;
    cursor = isFull ? (rows[ROWS_SWEPT - 1] as Row).id : end;
    return sweepRows(rows, isFull);
  }

  function sweepRows(rows: readonly Row[], isFull: boolean): SweepSlice {
    let expired = 0;
    let room = SEGMENTS_SWEPT;
    for (const row of rows) {
      if (row.ended === UNTIL_EXPIRY) {
        expired++;
        if (row.visit_id !== null) ids.release(row.visit_id, row.id);
      }
      if (isKept(row)) {
        if (row.ended === UNTIL_EXPIRY) mark.run(row.id);
        continue;
      }
      room -= segments.remove(row.id, room);
      if (room > 0) {
        sessions.remove(row.id);
        if (row.indexed === 1) ids.forget(row.id);
        if (row.idle === 0) answers.remove(idOf(row.id, row.tail));
        continue;
      }
      // There may be more of them: the next slice begins with this session again.
      if (row.ended === UNTIL_EXPIRY) mark.run(row.id);
      cursor = row.id - 1;
      return { expired, hasMore: true };
    }
    return { expired, hasMore: isFull };
  }

  function isKept(row: Row): boolean {
    if (row.outdated === 0 && row.idle === 0) return true;
    // Records that are still on their way would come to a session that nobody knows any more.
    return journal.unmerged(idOf(row.id, row.tail)).length > 0;
  }

  let wasFull = false;
  let notLooked = 0;

  return (now, sweepTime) => {
    let isCleared = false;
    let isIndexing = false;
    if (isClearingDue(now)) {
      isIndexing = ids.purge();
      isCleared = !isIndexing;
      if (isCleared) deletedAt = undefined;
    } else isIndexing = ids.maintain() && ids.isPressed;
    const isMoving = journal.maintain(now);
    const answersSwept = answers.sweep(sweepTime);
    if (answersSwept > 0) deletedAt ??= now;
    if (isMoving && !wasFull && notLooked < NOT_LOOKING) {
      notLooked++;
      return { expired: 0, hasMore: true, isCleared };
    }
    const slice = sweepSessions(sweepTime);
    wasFull = slice.hasMore;
    notLooked = 0;
    const isFull = slice.hasMore || isIndexing || isMoving || answersSwept === ANSWERS_SWEPT;
    return { expired: slice.expired, hasMore: isFull, isCleared };
  };
}
