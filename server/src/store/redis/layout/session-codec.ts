import { timeAndCount } from "../../../session/id.ts";
import { type Lifetimes, unstoredSession } from "../../../session/lifetime.ts";
import { type Identity, idFields, isBlank, type Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";

/*
 * A session as its key holds it: eight lines, as ids have no control characters. Times are
 * milliseconds after the creation, which the id tells.
 *
 *   last active | expires | state | agent | customer | visit | global visit | associations
 *
 * State: empty while it lives, `e` and who ended it, `g` where it is or was erased, or `x` where it was found expired by someone who
 * takes its visit: no clock that is behind may prolong it then. An association is `at,after,fields;`,
 * the fields as a sum of powers of two. `scripts/session.lua` reads and writes the same.
 */

const SEPARATOR = "\n";
const ENDED = "e";
const GONE = "g";

/** A stored session and its past. */
export interface Unpacked {
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
}

/** The text of a session. */
export function pack(session: Session, associations: readonly AssociationEvent[] = []): string {
  const { createdAt } = session;
  return [
    session.lastActiveAt - createdAt,
    session.expiresAt - createdAt,
    session.ended ? ENDED : "",
    session.agentId ?? "",
    session.customerId ?? "",
    session.visitId ?? "",
    session.globalVisitId ?? "",
    associations.map((event) => lineOf(event, createdAt)).join(""),
  ].join(SEPARATOR);
}

/** The session in a text that `pack` or a script made. */
export function unpack(id: string, text: string): Session {
  const { createdAt } = timeAndCount(id);
  const parts = text.split(SEPARATOR);
  if (parts[2] === GONE) parts.fill("", 3);
  return {
    id,
    createdAt,
    lastActiveAt: createdAt + Number(parts[0]),
    expiresAt: createdAt + Number(parts[1]),
    ended: parts[2]?.startsWith(ENDED) === true || parts[2] === GONE,
    agentId: parts[3] || null,
    customerId: parts[4] || null,
    visitId: parts[5] || null,
    globalVisitId: parts[6] || null,
  };
}

/** Whether a text tells no more than that the session is being erased, or was. */
export function isGone(text: string): boolean {
  return text.split(SEPARATOR, 3)[2] === GONE;
}

/** The ids in a text, also of a session that is being erased. */
export function idsIn(text: string): Identity {
  const parts = text.split(SEPARATOR);
  return {
    agentId: parts[3] || null,
    customerId: parts[4] || null,
    visitId: parts[5] || null,
    globalVisitId: parts[6] || null,
  };
}

/** The session with its past. */
export function unpackWhole(id: string, text: string): Unpacked {
  const session = unpack(id, text);
  if (session.ended && hasNoIds(session)) return { session, associations: [] };
  const past = text.slice(text.lastIndexOf(SEPARATOR) + 1);
  const lines = past.split(";").slice(0, -1);
  return { session, associations: lines.map((line) => eventOf(line, session.createdAt)) };
}

/** Returns the implicit session of an id (contract.md#rule-8). */
export function describedById(id: string, lifetimes: Lifetimes): Session {
  return implicitSession(id, timeAndCount(id).createdAt, lifetimes);
}

function lineOf({ at, after, fields }: AssociationEvent, createdAt: number): string {
  const sum = fields.reduce((bits, field) => bits + 2 ** idFields.indexOf(field), 0);
  return `${at - createdAt},${after},${sum};`;
}

function eventOf(line: string, createdAt: number): AssociationEvent {
  const [at = 0, after = 0, sum = 0] = line.split(",").map(Number);
  return {
    at: createdAt + at,
    after,
    fields: idFields.filter((_field, i) => Math.floor(sum / 2 ** i) % 2 === 1),
  };
}
