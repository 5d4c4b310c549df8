import type { DatabaseSync } from "node:sqlite";
import { expiryReason, type Lifetimes } from "../../../session/lifetime.ts";
import { hasNoIds, type Session } from "../../../session/session.ts";
import { ExpiryPace } from "../../expiry-pace.ts";
import type { WriterOptions } from "../options.ts";
import { sqlOf } from "../statements.ts";
import { ANY_ID, createdAtOf, EPOCH, handleOf, KEYS_PER_MS, keyOf, SEEN_EXPIRED } from "../tables/session-row.ts";
import { RESPONSES_PURGED } from "../tables/stored-responses.ts";
import type { Tables } from "../tables.ts";
import type { PurgeOutcome } from "../writer/writer-protocol.ts";

/** The maximum number of rows of `sessions` that a slice reads. */
const ROWS_READ = 2048;
/** The maximum number of rows of `sessions` that a slice changes or deletes. */
const ROWS_PURGED = 512;
/** The maximum number of rows of `segments` that a slice deletes. */
const SEGMENTS_PURGED = 256;

/**
 * The number of consecutive slices that skip the search for expired sessions while records are being merged. During a
 * merge, slices follow each other without a pause. Skipping the search makes it as rare as it is when slices have
 * pauses between them.
 */
const SEARCHES_SKIPPED = 15;

/** The value of the column `ended` for a session that is neither ended nor found expired by a purge. */
const NOT_ENDED = 0;

/** How long (ms) the search through the table leaves expired sessions to the calendar: the calendar takes less. */
const LEFT_TO_CALENDAR = 60_000;
/** The number of rows that a slice reads to fill the calendar of expiries. */
const ROWS_FILLED = 4096;
/**
 * The time (ms) from the first deletion until its remains in the secondary index and the write-ahead log are removed:
 * the retention, within these limits.
 */
const CLEAR_AFTER = { max: 10 * 60_000, min: 1000 };

interface UnfilledRow {
  readonly id: number;
  readonly expiresAfter: number;
  readonly ended: number;
}

interface Row {
  readonly id: number;
  readonly random_high: number;
  readonly random_low: number;
  readonly visit_id: string | null;
  readonly ended: number;
  /** 1 if the session has an id of a caller, and so has entries in the index. */
  readonly indexed: number;
  /** 1 if the session has had neither ids nor records nor data, so there is nothing to retain. */
  readonly empty: number;
  /** 1 if the retention of the session is over. */
  readonly outdated: number;
}

/**
 * Purges expired sessions, a slice in each call. Slices read the table in the order of creation, again and again. So
 * no index of expiry times is needed, which every renewal would have to update. A round may take minutes. So if events
 * are published, a calendar finds the expired sessions in time and in short slices, and the search through the table only
 * deletes. The search also finds expired sessions that the calendar should have found long ago.
 *
 *   live --time--> expired: it loses its visit and data --retention--> deleted with its records
 *     `--end--> ended ----------------------------retention--> deleted with its records
 *   never with ids, records or data: deleted as soon as it has ended or expired
 *
 * A row is kept at least until the implicit session of its id has expired too. Without the row, the id of an ended
 * session would stand for a live implicit session. The same holds for a recognized session that expired early.
 */
export class ExpiryPurge {
  readonly #tables: Tables;
  readonly #lifetimes: Lifetimes;
  readonly #retention: number;
  readonly #clearAfter: number;
  /** The age (ms) at which an implicit session has expired. */
  readonly #idLife: number;
  readonly #sql;
  /** The row key after which the next slice continues. */
  #position = 0;
  /** The row key at which this round through the table ends. It is fixed during a round, so each round has an end. */
  #end = 0;
  /**
   * The time of the first deletion whose remains are not removed yet. If an earlier process has left remains, they are
   * removed at once.
   */
  #deletedAt: number | undefined;
  #hasMoreRows = false;
  #skipped = 0;
  readonly #pace = new ExpiryPace();
  /** The row key up to which the calendar has the sessions of earlier processes; `undefined` when it has all. */
  #filled: number | undefined;

  constructor(database: DatabaseSync, tables: Tables, { lifetimes, retention }: WriterOptions) {
    this.#tables = tables;
    this.#lifetimes = lifetimes;
    this.#retention = retention;
    this.#clearAfter = Math.min(CLEAR_AFTER.max, Math.max(CLEAR_AFTER.min, retention));
    this.#idLife = Math.min(lifetimes.anonymous.idle, lifetimes.anonymous.total);
    const sql = sqlOf(database);
    this.#sql = {
      lastInSlice: sql`SELECT max(id) AS id FROM
         (SELECT id FROM sessions WHERE id > ? AND id <= ? ORDER BY id LIMIT ${ROWS_READ})`,
      /**
       * Selects sessions that have to be changed or deleted because they have ended or expired. Their row keys are
       * above ?1, and ?2 at most. ?3 is the age at which an implicit session has expired, ?4 the time, ?5 the
       * retention, ?6 the time that expired sessions are left to the calendar.
       */
      over: sql`SELECT * FROM (
           SELECT id, random_high, random_low, visit_id, ended,
             ${ANY_ID} IS NOT NULL AS indexed,
             records = 0 AND ${ANY_ID} IS NULL
               AND NOT EXISTS (SELECT 1 FROM session_data WHERE session = id) AS empty,
             expires_after + ?5 <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS} AS outdated,
             expires_after + ?6 <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS} AS overdue
           FROM sessions WHERE id > ?1 AND id <= ?2
             AND max(expires_after, ?3) <= ?4 - ${EPOCH} - id / ${KEYS_PER_MS})
         WHERE (ended = ${NOT_ENDED} AND overdue) OR empty OR outdated ORDER BY id LIMIT ${ROWS_PURGED}`,
      unfilled: sql`SELECT id, expires_after AS expiresAfter, ended FROM sessions WHERE id > ? ORDER BY id
         LIMIT ${ROWS_FILLED}`,
      markExpired: sql`UPDATE sessions SET ended = ${SEEN_EXPIRED} WHERE id = ?`,
    };
    const { index } = tables;
    if (index.lastPurged < index.lastDeleted) this.#deletedAt = Number.NEGATIVE_INFINITY;
    this.#filled = tables.events.isOn ? Number.MIN_SAFE_INTEGER : undefined;
  }

  /**
   * Does a slice of housekeeping: purges sessions and stored responses as of `sessionTime`, merges journal and index.
   */
  slice(now: number, sessionTime: number): PurgeOutcome {
    const { isIndexing, isIndexPurged } = this.#maintainIndex(now);
    const isMerging = this.#tables.journal.merge(now);
    const responses = this.#tables.responses.purgeExpired(sessionTime);
    if (responses > 0) this.#deletedAt ??= now;
    const isPurgingEvents = this.#tables.events.purge(now);
    const isExpiring = this.#tables.calendar.isDue(sessionTime);
    if (isMerging && !isExpiring && !this.#hasMoreRows && this.#skipped < SEARCHES_SKIPPED) {
      this.#skipped++;
      return { expired: 0, hasMore: true, isExpiring: false, isIndexPurged };
    }
    this.#skipped = 0;
    const isFilling = this.#fillCalendar();
    if (!isExpiring) this.#pace.rest();
    const expired = isExpiring ? this.#expireDue(sessionTime) : this.#purgeSessions(sessionTime);
    const hasMore =
      this.#hasMoreRows ||
      isIndexing ||
      isMerging ||
      responses === RESPONSES_PURGED ||
      isPurgingEvents ||
      isFilling ||
      isExpiring;
    return { expired, hasMore, isExpiring, isIndexPurged };
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

  /** Purges the next rows. Returns the number of sessions that were found expired. */
  #purgeSessions(now: number): number {
    this.#hasMoreRows = false;
    if (this.#position >= this.#end) {
      this.#position = Number.MIN_SAFE_INTEGER;
      // Younger rows are kept: without a row an id counts as an implicit session, so an ended session would be live again.
      this.#end = (now - this.#idLife - EPOCH) * KEYS_PER_MS;
    }
    const last = this.#sql.lastInSlice.get(this.#position, this.#end)?.["id"] as number | null;
    if (last === null) {
      this.#position = this.#end;
      return 0;
    }
    const leftAlone = this.#tables.events.isOn ? LEFT_TO_CALENDAR : 0;
    const times = [this.#idLife, now, this.#retention, leftAlone];
    const rows = this.#sql.over.all(this.#position, last, ...times) as unknown as Row[];
    this.#hasMoreRows = rows.length === ROWS_PURGED;
    this.#position = this.#hasMoreRows ? (rows.at(-1) as Row).id : last;
    if (rows.some((row) => row.outdated === 1 || row.empty === 1)) this.#deletedAt ??= now;
    return this.#purgeRows(rows, now);
  }

  #purgeRows(rows: readonly Row[], now: number): number {
    const { index, segments, events, sessions } = this.#tables;
    let expired = 0;
    let room = SEGMENTS_PURGED;
    for (const row of rows) {
      if (row.ended === NOT_ENDED) {
        expired++;
        sessions.countExpired();
        if (row.visit_id !== null) index.release(row.visit_id, row.id);
        const session = row.outdated === 0 && events.isOn ? sessions.findByKey(row.id)?.session : undefined;
        if (session !== undefined) this.#publishExpiry(session);
      }
      const isDeleted = !this.#isKept(row);
      if (isDeleted) room -= segments.remove(row.id, room);
      if (isDeleted && room > 0) {
        this.#delete(row);
        continue;
      }
      if (row.ended === NOT_ENDED) this.#markExpired(row.id, now);
      if (!isDeleted) continue;
      // The session may have more segments, so the next slice begins with this session.
      this.#position = row.id - 1;
      this.#hasMoreRows = true;
      break;
    }
    return expired;
  }

  /** Reads a slice of the rows that earlier processes have left. Returns false when the calendar has them all. */
  #fillCalendar(): boolean {
    if (this.#filled === undefined) return false;
    const rows = this.#sql.unfilled.all(this.#filled) as unknown as UnfilledRow[];
    for (const { id, expiresAfter, ended } of rows) {
      if (ended === NOT_ENDED) this.#tables.calendar.add(id, createdAtOf(id) + expiresAfter);
    }
    // A slice that is rolled back may be skipped: the calendar has its sessions all the same.
    this.#filled = rows.length < ROWS_FILLED ? undefined : rows.at(-1)?.id;
    return this.#filled !== undefined;
  }

  /** Finds sessions that have expired since the calendar was last asked. Returns their number. */
  #expireDue(now: number): number {
    const { calendar, sessions, index } = this.#tables;
    const limit = this.#pace.next(calendar.due(now), now);
    let expired = 0;
    for (const key of calendar.take(now, limit)) {
      const found = sessions.findByKey(key);
      if (found === undefined || found.ended !== NOT_ENDED) continue;
      const { session } = found;
      if (session.expiresAt > now) {
        calendar.add(key, session.expiresAt);
        continue;
      }
      expired++;
      sessions.countExpired();
      this.#markExpired(key, now);
      if (session.visitId !== null) index.release(session.visitId, key);
      if (now < session.expiresAt + this.#retention) this.#publishExpiry(session);
    }
    return expired;
  }

  /** Marks a session as found expired, and removes its data. */
  #markExpired(key: number, now: number): void {
    this.#sql.markExpired.run(key);
    if (this.#tables.data.clear(key)) this.#deletedAt ??= now;
  }

  /** Publishes that a session has expired, if its creation was published: it has ids or records, or has had data. */
  #publishExpiry(session: Session): void {
    const { events, segments, journal, data } = this.#tables;
    const { handle } = session;
    const hasRecords = () => segments.counts(handle).records > 0 || journal.unmerged(handle).length > 0;
    if (hasNoIds(session) && !hasRecords() && !data.has(keyOf(handle))) return;
    const reason = expiryReason(session, this.#lifetimes);
    events.append({ type: "session.expired", reason }, session, session.expiresAt);
  }

  #isKept(row: Row): boolean {
    if (row.outdated === 0 && row.empty === 0) return true;
    // If the session has records that are not merged yet, merging them would create its row again.
    return this.#tables.journal.unmerged(handleOf(row.id, row.random_high, row.random_low)).length > 0;
  }

  #delete(row: Row): void {
    const { index, sessions, responses, data } = this.#tables;
    sessions.remove(row.id);
    data.remove(row.id);
    if (row.indexed === 1) index.noteDeleted(row.id);
    if (row.empty === 0) responses.remove(handleOf(row.id, row.random_high, row.random_low));
  }
}
