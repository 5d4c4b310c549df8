import type { DatabaseSync } from "node:sqlite";
import { isEventMatch, type LoggedEvent } from "../../../session/event.ts";
import { type EventEntry, erasureOf, eventOf, isErasure, type SessionEntry } from "../../event-entry.ts";
import { type EventPosition, formatPosition, parsePosition } from "../../event-position.ts";
import type { EventBounds, EventPage, EventRequest } from "../../ports/events.ts";
import { sqlOf } from "../statements.ts";
import { ERASED, handleOf, type SessionRow, sessionColumns, sessionOf } from "../tables/session-row.ts";

/** The maximum number of events that are examined for a page. It keeps the time of a page to some milliseconds. */
const MAX_EXAMINED = 1024;

/** A row of `events` as an array. */
type Row = readonly [last: number, at: number, entries: string];

/** Reads the event log on a connection that only reads. */
export class EventPages {
  readonly #sql;

  constructor(database: DatabaseSync) {
    const sql = sqlOf(database);
    this.#sql = {
      from: sql`SELECT last, at, entries FROM events WHERE last >= ? ORDER BY last`,
      oldest: sql`SELECT last, at, entries FROM events ORDER BY last LIMIT 1`,
      newest: sql`SELECT last, at, entries FROM events ORDER BY last DESC LIMIT 1`,
      session: sql`SELECT ${sessionColumns} FROM sessions WHERE id = ?`,
    };
    for (const statement of Object.values(this.#sql)) statement.setReturnArrays(true);
  }

  bounds(): EventBounds {
    const oldest = this.#sql.oldest.get() as unknown as Row | undefined;
    const newest = this.#sql.newest.get() as unknown as Row | undefined;
    const first = firstOf(oldest);
    const [last, at] = newest ?? [0, 0];
    const isEmpty = first > last;
    return {
      start: formatPosition({ sequence: first - 1, at: 0 }),
      end: formatPosition({ sequence: last, at }),
      events: last - first + 1,
      oldestAt: isEmpty || oldest === undefined ? null : oldest[1],
      newestAt: isEmpty ? null : at,
    };
  }

  /** Does what `EventLog.readEvents` describes. */
  read({ after, limit, filter }: EventRequest): EventPage {
    const position = this.#check(parsePosition(after));
    if (position === undefined) return { isGone: true, events: [], next: this.bounds().start, hasMore: true };
    const events: LoggedEvent[] = [];
    let next = position;
    let examined = 0;
    for (const row of this.#sql.from.iterate(position.sequence + 1)) {
      const [last, at, text] = row as unknown as Row;
      const entries = entriesIn(text);
      const first = last - entries.length + 1;
      for (let sequence = Math.max(first, next.sequence + 1); sequence <= last; sequence++) {
        if (events.length === limit || examined === MAX_EXAMINED) {
          return { isGone: false, events, next: formatPosition(next), hasMore: true };
        }
        examined++;
        next = { sequence, at };
        const event = this.#eventOf(entries[sequence - first] as EventEntry, formatPosition(next));
        if (event !== undefined && isEventMatch(event, filter)) events.push(event);
      }
    }
    return { isGone: false, events, next: formatPosition(next), hasMore: false };
  }

  /** Returns the position if the log continues after it without a gap; otherwise `undefined`. */
  #check(position: EventPosition | undefined): EventPosition | undefined {
    if (position === undefined) return undefined;
    const { sequence, at } = position;
    const newest = this.#sql.newest.get() as unknown as Row | undefined;
    if (sequence > (newest?.[0] ?? 0)) return undefined;
    const row = this.#sql.from.get(sequence) as unknown as Row | undefined;
    // Ids must sort in the order of the log, so a position that no event can have is refused.
    if (row === undefined) return at === 0 ? position : undefined;
    const first = firstOf(row);
    // The row of the event may be purged already, if everything after it is still there.
    if (sequence < first) {
      const isNext = sequence === firstOf(this.#sql.oldest.get() as unknown as Row) - 1;
      return isNext && at <= row[1] ? position : undefined;
    }
    return at === row[1] ? position : undefined;
  }

  /** Returns the event of an entry; `undefined` if its session was erased or purged. */
  #eventOf(entry: EventEntry, id: string): LoggedEvent | undefined {
    if (isErasure(entry)) return erasureOf(entry, id);
    const [, key] = entry satisfies SessionEntry;
    const row = this.#sql.session.get(key) as unknown as SessionRow | undefined;
    if (row === undefined || row[4] === ERASED) return undefined;
    return eventOf(entry, id, sessionOf(handleOf(key, row[0], row[1]), key, row));
  }
}

function entriesIn(text: string): readonly EventEntry[] {
  return JSON.parse(`[${text}]`) as EventEntry[];
}

/** Returns the sequence of the first event in a row; 1 without a row. */
function firstOf(row: Row | undefined): number {
  return row === undefined ? 1 : row[0] - entriesIn(row[2]).length + 1;
}
