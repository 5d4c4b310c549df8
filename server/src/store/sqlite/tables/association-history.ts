import { idFields } from "../../../session/fields.ts";
import type { Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";
import { bitsOf, effectOf } from "../../event-bits.ts";

/* The column `history` of `sessions`. It has no ids: a set id never changes, and has a column of its own. */

/** An event: time in ms after the creation, number of earlier records, and what it did, as `bitsOf` returns it. */
export type HistoryEntry = readonly [at: number, after: number, bits: number];

/** Returns the entry of an event at `now` that changed `before` to `session`, after `records` records. */
export function historyEntry(before: Session, session: Session, records: number, now: number): HistoryEntry {
  const fields = idFields.filter((field) => before[field] !== session[field]);
  const isRotation = before.generation !== session.generation;
  return [now - session.createdAt, records, bitsOf({ fields, isRotation })];
}

/** Returns history entries as association events. `createdAt` is the creation time of the session. */
export function eventsOf(entries: readonly HistoryEntry[], createdAt: number): AssociationEvent[] {
  return entries.map(([at, after, bits]) => ({ at: createdAt + at, after, ...effectOf(bits) }));
}

/** Returns association events as history entries. `createdAt` is the creation time of the session. */
export function entriesOf(events: readonly AssociationEvent[], createdAt: number): HistoryEntry[] {
  return events.map((event) => [event.at - createdAt, event.after, bitsOf(event)]);
}
