import { bitSetOf, fieldsOfBitSet, idFields } from "../../../session/fields.ts";
import type { Identity, Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";

/* The column `history` of `sessions`. It has no ids: a set id never changes, and has a column of its own. */

/** An association: time in ms after the creation, number of earlier records, fields as a sum of powers of two. */
export type HistoryEntry = readonly [at: number, after: number, fields: number];

/** Returns the entry of an association at `now` that changed `before` to `session`, after `records` records. */
export function historyEntry(before: Identity, session: Session, records: number, now: number): HistoryEntry {
  const changed = idFields.filter((field) => before[field] !== session[field]);
  return [now - session.createdAt, records, bitSetOf(changed)];
}

/** Returns history entries as association events. `createdAt` is the creation time of the session. */
export function eventsOf(entries: readonly HistoryEntry[], createdAt: number): AssociationEvent[] {
  return entries.map(([at, after, fields]) => ({
    at: createdAt + at,
    after,
    fields: fieldsOfBitSet(fields),
  }));
}

/** Returns association events as history entries. `createdAt` is the creation time of the session. */
export function entriesOf(events: readonly AssociationEvent[], createdAt: number): HistoryEntry[] {
  return events.map(({ at, after, fields }) => [at - createdAt, after, bitSetOf(fields)]);
}
