import type { DatabaseSync } from "node:sqlite";
import { idFields } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
import { identityOf, isLive, type Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";
import { isNewerState, type SessionItem } from "../../ports/transfer.ts";
import type { ExpiryCalendar } from "../events/expiry-calendar.ts";
import type { SecondaryIndex } from "../index/secondary-index.ts";
import { sqlOf } from "../statements.ts";
import type { Transactional } from "../transactional.ts";
import { entriesOf, eventsOf, type HistoryEntry, historyEntry } from "./association-history.ts";
import {
  ENDED,
  ERASED,
  generationColumnOf,
  handleOf,
  idColumns,
  isRowOf,
  keyOf,
  randomColumnsOf,
  type SessionRow,
  sessionColumns,
  sessionOf,
} from "./session-row.ts";

/** A stored session with its history. */
export interface StoredSession {
  readonly session: Session;
  /** The number of records that were merged into segments, including dropped ones. */
  readonly records: number;
  readonly history: readonly HistoryEntry[];
}

/** Creates a function that returns the stored session of a handle, live or not. */
export function createSessionReader(database: DatabaseSync): (handle: string) => Session | undefined {
  const byKey = database.prepare(`SELECT ${sessionColumns} FROM sessions WHERE id = ?`);
  byKey.setReturnArrays(true);
  return (handle) => {
    const key = keyOf(handle);
    const row = byKey.get(key) as unknown as SessionRow | undefined;
    // Another session may have this row key: if the clock was set back before a restart, a millisecond can occur twice.
    if (row === undefined || !isRowOf(handle, row[0], row[1])) return undefined;
    return sessionOf(handle, key, row);
  };
}

/** Returns the time at which the id of this generation was replaced (`SessionStore.rotatedAt`). */
export function readRotation(database: DatabaseSync, handle: string, generation: number): number | undefined {
  const key = keyOf(handle);
  const row = database.prepare("SELECT random_high, random_low, history FROM sessions WHERE id = ?").get(key) as
    | { readonly random_high: number; readonly random_low: number; readonly history: string | null }
    | undefined;
  if (row === undefined || !isRowOf(handle, row.random_high, row.random_low)) return undefined;
  const events = eventsOf(parseHistory(row.history), timeAndCount(handle).createdAt);
  return events.filter(({ isRotation }) => isRotation)[generation]?.at;
}

/**
 * The table `sessions` on the writer's connection. Changes of a session also update the secondary index, unless the
 * method says that the caller does it.
 */
export class SessionTable implements Transactional {
  /** Returns the stored session of a handle, live or not. */
  readonly find: (handle: string) => Session | undefined;
  readonly #index: SecondaryIndex;
  readonly #calendar: ExpiryCalendar | undefined;
  readonly #sql;
  #count: number;
  #committedCount: number;
  #live: number;
  #committedLive: number;

  /** With a calendar, notes in it when sessions may expire. */
  constructor(database: DatabaseSync, index: SecondaryIndex, calendar?: ExpiryCalendar) {
    this.find = createSessionReader(database);
    this.#index = index;
    this.#calendar = calendar;
    const sql = sqlOf(database);
    const setIds = idColumns.map((column) => `${column} = ?`).join(", ");
    this.#sql = {
      byKey: sql`SELECT ${sessionColumns} FROM sessions WHERE id = ?`,
      withHistory: sql`SELECT records, history, ${sessionColumns} FROM sessions WHERE id = ?`,
      insert: sql`INSERT INTO sessions (id, ${sessionColumns}, history)
         VALUES (?, ?, ?, ?, ?, ?, ?, ${"?, ".repeat(idColumns.length)}?) ON CONFLICT DO NOTHING`,
      update: sql`UPDATE sessions SET active_after = ?, expires_after = ?, ended = ?, generation = ?, ${setIds}
         WHERE id = ?`,
      renew: sql`UPDATE sessions SET active_after = ?, expires_after = ? WHERE id = ?`,
      associate: sql`UPDATE sessions SET active_after = ?, expires_after = ?, generation = ?, ${setIds}, history = ?
         WHERE id = ?`,
      setHistory: sql`UPDATE sessions SET history = ? WHERE id = ?`,
      clear: sql`UPDATE sessions SET records = 0, history = NULL WHERE id = ?`,
      remove: sql`DELETE FROM sessions WHERE id = ?`,
      isLive: sql`SELECT 1 FROM sessions WHERE id = ? AND ended = 0`,
    };
    this.#sql.byKey.setReturnArrays(true);
    this.#sql.withHistory.setReturnArrays(true);
    const facts = database.prepare("SELECT session_count, live_count FROM facts").get();
    this.#count = facts?.["session_count"] as number;
    this.#committedCount = this.#count;
    this.#live = facts?.["live_count"] as number;
    this.#committedLive = this.#live;
  }

  /** The number of rows, including those of the current transaction. */
  get count(): number {
    return this.#count;
  }

  /** The number of rows of sessions that are neither ended nor found expired, including those of the transaction. */
  get live(): number {
    return this.#live;
  }

  /** Notes that a purge was the first to find a session expired. */
  countExpired(): void {
    this.#live--;
  }

  /** Returns the session with this row key, live or not. */
  findByKey(key: number): { readonly session: Session; readonly ended: number } | undefined {
    const row = this.#sql.byKey.get(key) as unknown as SessionRow | undefined;
    return row && { session: sessionOf(handleOf(key, row[0], row[1]), key, row), ended: row[4] };
  }

  findWithHistory(handle: string): StoredSession | undefined {
    const key = keyOf(handle);
    const row = this.#sql.withHistory.get(key) as unknown as
      | [records: number, history: string | null, ...SessionRow]
      | undefined;
    if (row === undefined) return undefined;
    const [records, history, ...columns] = row;
    if (!isRowOf(handle, columns[0], columns[1])) return undefined;
    return { session: sessionOf(handle, key, columns), records, history: parseHistory(history) };
  }

  associations({ handle, createdAt }: Session): readonly AssociationEvent[] {
    return eventsOf(this.findWithHistory(handle)?.history ?? [], createdAt);
  }

  /** Returns true if a live session other than `handle` holds the visit (contract.md#rule-2). */
  isVisitHeld(visitId: string | null, handle: string, now: number): boolean {
    if (visitId === null) return false;
    return this.#index.holders(visitId).some((key) => {
      const row = this.#sql.byKey.get(key) as unknown as SessionRow | undefined;
      if (row === undefined) return false;
      const holder = sessionOf(handleOf(key, row[0], row[1]), key, row);
      return holder.visitId === visitId && holder.handle !== handle && isLive(holder, now);
    });
  }

  /** Inserts a session. Returns false and does nothing if another session has the same row key. */
  insert(session: Session): boolean {
    return this.#insert(session, null);
  }

  /** Inserts a session because its implicit session `before` was changed. A change of traits alone is not an event. */
  insertChanged(before: Session, session: Session, records: number, now: number): boolean {
    const entry = historyEntry(before, session, records, now);
    const [, , bits] = entry;
    return this.#insert(session, bits === 0 ? null : JSON.stringify([entry]));
  }

  update(before: Session, session: Session): void {
    const key = keyOf(session.handle);
    this.#live += Number(!session.ended) - this.#countLive(key);
    this.#sql.update.run(...valuesOf(session), key);
    this.#noteExpiry(key, before, session);
    this.#index.add(key, newIds(before, session), session.ended);
    if (session.visitId !== null && session.ended) this.#index.release(session.visitId, key);
  }

  /** Updates only the times of a session. The index does not contain them. */
  renew(session: Session): void {
    const [activeAfter, expiresAfter] = valuesOf(session);
    this.#sql.renew.run(activeAfter, expiresAfter, keyOf(session.handle));
  }

  /** Stores an association or rotation that changed `before` to `session`, after `records` records. */
  associate(before: StoredSession, session: Session, records: number, now: number): void {
    const key = keyOf(session.handle);
    const entry = historyEntry(before.session, session, records, now);
    const [activeAfter, expiresAfter, , ...rest] = valuesOf(session);
    const history = JSON.stringify([...before.history, entry]);
    this.#sql.associate.run(activeAfter, expiresAfter, ...rest, history, key);
    this.#noteExpiry(key, before.session, session);
    this.#index.add(key, newIds(before.session, session), false);
  }

  /**
   * Stores a session that another store exported, unless the same state or a later one is stored already. Returns
   * false and does nothing if another session has the same row key.
   */
  import({ session, associations }: SessionItem): boolean {
    const entries = entriesOf(associations, session.createdAt);
    const history = entries.length === 0 ? null : JSON.stringify(entries);
    const before = this.findWithHistory(session.handle);
    if (before === undefined) return this.#insert(session, history);
    const isKnown = isSame(before.session, session) && before.history.length === entries.length;
    if (isKnown || isNewerState(before.session, session)) return true;
    this.update(before.session, session);
    this.#sql.setHistory.run(history, keyOf(session.handle));
    return true;
  }

  /** Deletes the row of a session that has ended or was found expired. The caller removes the session's index entries. */
  remove(key: number): void {
    this.#count -= Number(this.#sql.remove.run(key).changes);
  }

  /** Deletes the row of an erased session. The caller removes the session's index entries. */
  erase(key: number): void {
    this.#live -= this.#countLive(key);
    this.remove(key);
  }

  /** Replaces the row of an erased session with `tombstone`. The caller removes the session's index entries. */
  bury(tombstone: Session): void {
    const key = keyOf(tombstone.handle);
    this.#live -= this.#countLive(key);
    const [activeAfter, expiresAfter, , ...rest] = valuesOf(tombstone);
    this.#sql.update.run(activeAfter, expiresAfter, ERASED, ...rest, key);
    this.#sql.clear.run(key);
  }

  commit(): void {
    this.#committedCount = this.#count;
    this.#committedLive = this.#live;
  }

  rollback(): void {
    this.#count = this.#committedCount;
    this.#live = this.#committedLive;
  }

  #insert(session: Session, history: string | null): boolean {
    const key = keyOf(session.handle);
    const values = valuesOf(session);
    const { changes } = this.#sql.insert.run(key, ...randomColumnsOf(session.handle), ...values, history);
    if (Number(changes) !== 1) return false;
    this.#count++;
    if (!session.ended) this.#live++;
    if (!session.ended) this.#calendar?.add(key, session.expiresAt);
    this.#index.add(key, session, session.ended);
    return true;
  }

  /** Returns 1 if the row of this key is of a session that is neither ended nor found expired, otherwise 0. */
  #countLive(key: number): number {
    return this.#sql.isLive.get(key) === undefined ? 0 : 1;
  }

  /** Notes an expiry that is earlier than the noted one: other lifetimes count for the session now. */
  #noteExpiry(key: number, before: Session, session: Session): void {
    if (session.expiresAt < before.expiresAt && !session.ended) this.#calendar?.add(key, session.expiresAt);
  }
}

/** Returns the ids that `after` has and `before` did not have. */
function newIds(before: Session, after: Session) {
  return identityOf((field) => (before[field] === null ? after[field] : null));
}

function isSame(one: Session, other: Session): boolean {
  const values = valuesOf(other);
  return valuesOf(one).every((value, i) => value === values[i]);
}

/** Returns the values of `sessionColumns` except the random bytes. */
function valuesOf(session: Session) {
  return [
    session.lastActiveAt - session.createdAt,
    session.expiresAt - session.createdAt,
    session.ended ? ENDED : 0,
    generationColumnOf(session),
    ...idFields.map((field) => session[field]),
  ] as const;
}

function parseHistory(history: string | null): HistoryEntry[] {
  return history === null ? [] : (JSON.parse(history) as HistoryEntry[]);
}
