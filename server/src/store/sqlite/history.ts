import { type Identity, idFields, type Session } from "../../session/session.ts";
import type { AssociationEvent } from "../../session/timeline.ts";

/*
 * Associations as the column `history` keeps them: what an id was set to is the session's own column,
 * as ids stay; so an association takes a dozen characters.
 */

/** Ms after the session's creation, requests recorded before, and the fields as a sum of powers of two. */
export type HistoryLine = readonly [at: number, after: number, fields: number];

/** The line of an association at `now` (ms), after so many `requests`, that made `session` of `before`. */
export function historyLine(
  before: Identity,
  session: Session,
  requests: number,
  now: number,
): HistoryLine {
  let fields = 0;
  for (const [i, field] of idFields.entries()) {
    if (before[field] !== session[field]) fields += 2 ** i;
  }
  return [now - session.createdAt, requests, fields];
}

/** The associations in `lines`. */
export function eventsOf(lines: readonly HistoryLine[], createdAt: number): AssociationEvent[] {
  return lines.map(([at, after, fields]) => ({
    at: createdAt + at,
    after,
    fields: idFields.filter((_field, i) => Math.floor(fields / 2 ** i) % 2 === 1),
  }));
}

/** The lines of `events`, of a session created at `createdAt` (ms). */
export function linesOfEvents(
  events: readonly AssociationEvent[],
  createdAt: number,
): HistoryLine[] {
  return events.map(({ at, after, fields }) => [
    at - createdAt,
    after,
    fields.reduce((sum, field) => sum + 2 ** idFields.indexOf(field), 0),
  ]);
}
