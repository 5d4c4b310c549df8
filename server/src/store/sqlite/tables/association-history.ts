import { type Identity, idFields, type Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";

/* The column `history`. The ids themselves are in the session's own columns, since an id that is set stays. */

/** An association: ms after the creation, records before it, and the fields as a sum of powers of two. */
export type HistoryEntry = readonly [at: number, after: number, fields: number];

/** Returns the entry of an association at `now` after `records` records, which changed `before` to `session`. */
export function historyEntry(
  before: Identity,
  session: Session,
  records: number,
  now: number,
): HistoryEntry {
  const changed = idFields.filter((field) => before[field] !== session[field]);
  return [now - session.createdAt, records, bitsOf(changed)];
}

/** Returns the associations in `entries`. `createdAt`: the creation of the session. */
export function eventsOf(entries: readonly HistoryEntry[], createdAt: number): AssociationEvent[] {
  return entries.map(([at, after, fields]) => ({
    at: createdAt + at,
    after,
    fields: idFields.filter((_field, i) => Math.floor(fields / 2 ** i) % 2 === 1),
  }));
}

/** Returns the entries of `events`. `createdAt`: the creation of the session. */
export function entriesOf(events: readonly AssociationEvent[], createdAt: number): HistoryEntry[] {
  return events.map(({ at, after, fields }) => [at - createdAt, after, bitsOf(fields)]);
}

function bitsOf(fields: readonly (typeof idFields)[number][]): number {
  return fields.reduce((sum, field) => sum + 2 ** idFields.indexOf(field), 0);
}
