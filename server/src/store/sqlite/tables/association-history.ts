import { bitSetOf, fieldsOfBitSet, idFields } from "../../../session/fields.ts";
import type { Identity, Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";

/*
 * The column `history` of `sessions`. It does not contain the ids themselves. An id that is set never changes, so its
 * value is read from its own column.
 */

/**
 * An association: its time in ms after the creation, the number of earlier records, and the fields as a sum of powers
 * of two.
 */
export type HistoryEntry = readonly [at: number, after: number, fields: number];

/**
 * Returns the history entry of an association that changed the ids from `before` to those of `session`. The session had
 * `records` records then. `now` is the time of the association.
 */
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
