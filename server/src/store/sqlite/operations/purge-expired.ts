import type { DatabaseSync } from "node:sqlite";
import type { WriterOptions } from "../options.ts";
import { sqlOf } from "../statements.ts";
import { EPOCH, idOf, KEYS_PER_MS } from "../tables/session-row.ts";
import { RESPONSES_PURGED } from "../tables/stored-responses.ts";
import type { Tables } from "../tables.ts";
import type { PurgeOutcome } from "../writer/writer-protocol.ts";

/** Rows of `sessions` that a slice reads, and how many of them it changes at most. */
const ROWS_READ = 2048;
const ROWS_PURGED = 512;
/** Rows of `segments` that a slice deletes. */
const SEGMENTS_PURGED = 256;

/**
 * While records are merged, slices follow each other at once. As many of them skip the search for expired
 * sessions, so that it costs no more than with pauses between slices.
 */
const SEARCHES_SKIPPED = 15;

/** Values of the column `ended`. */
const NOT_ENDED = 0;
const SEEN_EXPIRED = 2;

/**
 * The time (ms) between the first deletion and the removal of what is left of it in the secondary index and in the
 * write-ahead log. It is the retention within these limits.
 */
const CLEAR_AFTER = { max: 10 * 60_000, min: 1000 };

interface Row {
  readonly id: number;
  readonly tail: string;
  readonly visit_id: string | null;
  readonly ended: number;
  /** 1: it has an id of a caller, and so index entries. */
  readonly indexed: number;
  /** 1: it has neither ids nor records, so there is nothing to retain. */
  readonly empty: number;
  /** 1: its retention is over. */
  readonly outdated: number;
}

/**
 * Purges expired sessions, a slice in each call. It goes round the table in the order of creation, and so needs no
 * index of expiry times, which every renewal would have to update.
 *
 *   live --time--> expired: it releases its visit --retention--> deleted with its records
 *     `--end--> ended ----------------------------retention--> deleted with its records
 *   without ids and records: deleted as soon as it has ended or expired
 *
 * A row is kept until its bare id has expired too. Without the row, an ended session, or a recognized one that
 * expired early, would be taken for a live anonymous one.
 */
export class ExpiryPurge {
  readonly #tables: Tables;
  readonly #retention: number;
  readonly #clearAfter: number;
  /** The age (ms) at which a bare id has expired. */
  readonly #idLife: number;
  readonly #sql;
  /** Row keys: the current position, and the end of this round, which must not move with the time. */
  #position = 0;
  #end = 0;
  /** The time of the first deletion that is not cleared. What an earlier process has left is due at once. */
  #deletedAt: number | undefined;
  #hasMoreRows = false;
  #skipped = 0;

  constructor(database: DatabaseSync, tables: Tables, { lifetimes, retention }: WriterOptions) {
    this.#tables = tables;
    this.#retention = retention;
    this.#clearAfter = Math.min(CLEAR_AFTER.max, Math.max(CLEAR_AFTER.min, retention));
    this.#idLife = Math.min(lifetimes.anonymous.idle, lifetimes.anonymous.total);
    const sql = sqlOf(database);
    this.#sql = {
      lastInSlice: sql`SELECT max(id) AS id FROM
         (SELECT id FROM sessions WHERE id > ? AND id <= ? ORDER BY id LIMIT ${ROWS_READ})`,
      /** Sessions that are over; ?3 is the age at which a bare id has expired, ?4 the time, ?5 the retention. */
      over: sql`SELECT * FROM (
           SELECT id, tail, visit_id, ended,
             coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NOT NULL AS indexed,
             records = 0 AND coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NULL AS empty,
             expires_after + ?5 <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS} AS outdated
           FROM sessions WHERE id > ?1 AND id <= ?2
             AND max(expires_after, ?3) <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS})
         WHERE ended = ${NOT_ENDED} OR empty OR outdated ORDER BY id LIMIT ${ROWS_PURGED}`,
      markExpired: sql`UPDATE sessions SET ended = ${SEEN_EXPIRED} WHERE id = ?`,
    };
    const { index } = tables;
    if (index.lastPurged < index.lastDeleted) this.#deletedAt = Number.NEGATIVE_INFINITY;
  }

  /** Purges sessions and stored responses by `sessionTime`, and merges the journal and the index. */
  slice(now: number, sessionTime: number): PurgeOutcome {
    const { isIndexing, isIndexPurged } = this.#maintainIndex(now);
    const isMerging = this.#tables.journal.merge(now);
    const responses = this.#tables.responses.purgeExpired(sessionTime);
    if (responses > 0) this.#deletedAt ??= now;
    if (isMerging && !this.#hasMoreRows && this.#skipped < SEARCHES_SKIPPED) {
      this.#skipped++;
      return { expired: 0, hasMore: true, isIndexPurged };
    }
    this.#skipped = 0;
    const expired = this.#purgeSessions(sessionTime);
    const hasMore = this.#hasMoreRows || isIndexing || isMerging || responses === RESPONSES_PURGED;
    return { expired, hasMore, isIndexPurged };
  }

  #maintainIndex(now: number): { isIndexing: boolean; isIndexPurged: boolean } {
    const { index } = this.#tables;
    const age = this.#deletedAt === undefined ? -1 : now - this.#deletedAt;
    if (!index.isPurging && age < this.#clearAfter) {
      return { isIndexing: index.merge() && index.isMergeOverdue, isIndexPurged: false };
    }
    const isIndexing = index.purge();
    if (!isIndexing) this.#deletedAt = undefined;
    return { isIndexing, isIndexPurged: !isIndexing };
  }

  /** Purges the next rows, and returns the number of sessions that were found expired. */
  #purgeSessions(now: number): number {
    this.#hasMoreRows = false;
    if (this.#position >= this.#end) {
      this.#position = Number.MIN_SAFE_INTEGER;
      // Younger rows are kept in any case, for their bare ids.
      this.#end = (now - this.#idLife - EPOCH) * KEYS_PER_MS;
    }
    const last = this.#sql.lastInSlice.get(this.#position, this.#end)?.["id"] as number | null;
    if (last === null) {
      this.#position = this.#end;
      return 0;
    }
    const times = [this.#idLife, now, this.#retention];
    const rows = this.#sql.over.all(this.#position, last, ...times) as unknown as Row[];
    this.#hasMoreRows = rows.length === ROWS_PURGED;
    this.#position = this.#hasMoreRows ? (rows.at(-1) as Row).id : last;
    if (rows.some((row) => row.outdated === 1 || row.empty === 1)) this.#deletedAt ??= now;
    return this.#purgeRows(rows);
  }

  #purgeRows(rows: readonly Row[]): number {
    const { index, segments } = this.#tables;
    let expired = 0;
    let room = SEGMENTS_PURGED;
    for (const row of rows) {
      if (row.ended === NOT_ENDED) {
        expired++;
        if (row.visit_id !== null) index.release(row.visit_id, row.id);
      }
      const isDeleted = !this.#isKept(row);
      if (isDeleted) room -= segments.remove(row.id, room);
      if (isDeleted && room > 0) {
        this.#delete(row);
        continue;
      }
      if (row.ended === NOT_ENDED) this.#sql.markExpired.run(row.id);
      if (!isDeleted) continue;
      // It may have more segments: the next slice begins with this session.
      this.#position = row.id - 1;
      this.#hasMoreRows = true;
      break;
    }
    return expired;
  }

  #isKept(row: Row): boolean {
    if (row.outdated === 0 && row.empty === 0) return true;
    // Records that are not merged yet would bring the session back.
    return this.#tables.journal.unmerged(idOf(row.id, row.tail)).length > 0;
  }

  #delete(row: Row): void {
    const { index, sessions, responses } = this.#tables;
    sessions.remove(row.id);
    if (row.indexed === 1) index.noteDeleted(row.id);
    if (row.empty === 0) responses.remove(idOf(row.id, row.tail));
  }
}
