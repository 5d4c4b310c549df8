import type { DatabaseSync } from "node:sqlite";
import type { Session } from "../../../session/session.ts";
import { erasureEntry, type SessionChange, sessionEntry } from "../../event-entry.ts";
import { sqlOf } from "../statements.ts";
import { keyOf } from "../tables/session-row.ts";
import type { Transactional } from "../transactional.ts";

/** The maximum number of rows that a slice of the purge deletes. */
const ROWS_PURGED = 64;

/**
 * The table `events` on the writer's connection: the event log. The events of a transaction are one row, which is
 * inserted at its end. Nothing is stored if the log is switched off.
 */
export class EventTable implements Transactional {
  /** Whether events are stored. */
  readonly isOn: boolean;
  /** How long (ms) an event is kept. */
  readonly #retention: number;
  readonly #sql;
  /** The sequence of the last event, including those of the current transaction. */
  #last: number;
  #committedLast: number;
  /** The time (Unix ms) at which the last row was stored. It never decreases, also if a group is not in order. */
  #lastAt: number;
  #committedAt: number;
  /** The entries that the current transaction has appended. */
  #entries = "";

  /** `retention` is `null` if the log is switched off. Events of an earlier process are purged in any case. */
  constructor(database: DatabaseSync, retention: number | null) {
    this.isOn = retention !== null;
    this.#retention = retention ?? 0;
    const sql = sqlOf(database);
    this.#sql = {
      insert: sql`INSERT INTO events (last, at, entries) VALUES (?, ?, ?)`,
      newest: sql`SELECT last, at FROM events ORDER BY last DESC LIMIT 1`,
      outdated: sql`SELECT max(last) AS last FROM
         (SELECT last, at FROM events ORDER BY last LIMIT ${ROWS_PURGED}) WHERE at <= ?`,
      purge: sql`DELETE FROM events WHERE last <= ? AND last < (SELECT max(last) FROM events)`,
      /** Empties the newest row, which stays so that sequences are not used again. */
      empty: sql`UPDATE events SET entries = '' WHERE last = ? AND entries <> ''`,
    };
    const newest = this.#sql.newest.get();
    this.#last = (newest?.["last"] ?? 0) as number;
    this.#lastAt = (newest?.["at"] ?? 0) as number;
    this.#committedLast = this.#last;
    this.#committedAt = this.#lastAt;
  }

  /** The sequence of the last event that is stored durably. */
  get lastStored(): number {
    return this.#committedLast;
  }

  /** Appends the event that `change` led to `session` at `at` (Unix ms). */
  append(change: SessionChange, session: Session, at: number): void {
    if (this.isOn) this.#append(sessionEntry(change, session, keyOf(session.handle), at));
  }

  /** Appends the event that a customer was erased. `customerHash` is the keyed hash of the customer's id. */
  appendErasure(customerHash: string, at: number): void {
    if (this.isOn) this.#append(erasureEntry(customerHash, at));
  }

  /** Stores the appended events. Must be called before the commit. `now` returns the time of the transaction (Unix ms). */
  flush(now: () => number): void {
    if (this.#entries === "") return;
    this.#lastAt = Math.max(this.#lastAt, now());
    this.#sql.insert.run(this.#last, this.#lastAt, this.#entries);
    this.#entries = "";
  }

  /** Purges some of the events whose retention is over. Returns false when there is nothing more to purge now. */
  purge(now: number): boolean {
    const last = this.#sql.outdated.get(now - this.#retention)?.["last"] as number | null;
    if (last === null) return false;
    const { changes } = this.#sql.purge.run(last);
    if (last === this.#committedLast) this.#sql.empty.run(last);
    return Number(changes) >= ROWS_PURGED - 1;
  }

  commit(): void {
    this.#committedLast = this.#last;
    this.#committedAt = this.#lastAt;
  }

  rollback(): void {
    this.#last = this.#committedLast;
    this.#lastAt = this.#committedAt;
    this.#entries = "";
  }

  #append(entry: string): void {
    this.#entries += this.#entries === "" ? entry : `,${entry}`;
    this.#last++;
  }
}
