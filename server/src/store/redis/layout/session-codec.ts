import { bitSetOf, fieldsOfBitSet, idFields, idFieldTable } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
import {
  type Lifetimes,
  implicitSession as newImplicitSession,
} from "../../../session/lifetime.ts";
import {
  hasNoIds,
  type Identity,
  identityOf,
  noIdentity,
  type Session,
} from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";

/*
 * The text of a stored session in lines, since ids contain no control characters. Times are ms since creation, which
 * the session id contains. `session/fields.ts` has the lines of ids; a text may lack later ones.
 *
 *   last active | expires | state | agent | customer | visit | global visit | associations
 *
 * State: '' live or expired; `e` and a nonce: ended; `g`: being erased, or erased; `x`: found expired by a contender
 * for its visit, so that no process with a slower clock renews it. An association is `at,after,fields;`, with a bit
 * set of fields. `scripts/prelude/session.lua` reads and writes the same.
 */

const SEPARATOR = "\n";
export const HISTORY_LINE = 7;
const ENDED = "e";
const ERASED = "g";

/** A stored session and its associations. */
export interface SessionWithHistory {
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
}

/** Encodes a session. */
export function encode(session: Session, associations: readonly AssociationEvent[] = []): string {
  const { createdAt } = session;
  const lines = [
    session.lastActiveAt - createdAt,
    session.expiresAt - createdAt,
    session.ended ? ENDED : "",
  ];
  for (const field of idFields) lines[idFieldTable[field].redisLine] = session[field] ?? "";
  lines[HISTORY_LINE] = associations.map((event) => encodeAssociation(event, createdAt)).join("");
  return lines.join(SEPARATOR);
}

/** Decodes a session; one that is being erased shows no ids. */
export function decode(id: string, text: string): Session {
  const { createdAt } = timeAndCount(id);
  const lines = text.split(SEPARATOR);
  const isErasure = lines[2] === ERASED;
  return {
    id,
    createdAt,
    lastActiveAt: createdAt + Number(lines[0]),
    expiresAt: createdAt + Number(lines[1]),
    ended: isErasure || lines[2]?.startsWith(ENDED) === true,
    ...(isErasure ? noIdentity : idsIn(lines)),
  };
}

/** Returns whether the session is erased or being erased. */
export function isErased(text: string): boolean {
  return text.split(SEPARATOR, 3)[2] === ERASED;
}

/** Decodes the ids, even of a session that is being erased. */
export function decodeIds(text: string): Identity {
  return idsIn(text.split(SEPARATOR));
}

function idsIn(lines: readonly string[]): Identity {
  return identityOf((field) => lines[idFieldTable[field].redisLine] || null);
}

/** Decodes a session and its associations. */
export function decodeWithHistory(id: string, text: string): SessionWithHistory {
  const session = decode(id, text);
  if (session.ended && hasNoIds(session)) return { session, associations: [] };
  const events = text.split(SEPARATOR)[HISTORY_LINE]?.split(";").slice(0, -1) ?? [];
  return {
    session,
    associations: events.map((event) => decodeAssociation(event, session.createdAt)),
  };
}

/** Returns the implicit session of an id for which nothing is stored (contract.md#rule-8). */
export function implicitSession(id: string, lifetimes: Lifetimes): Session {
  return newImplicitSession(id, timeAndCount(id).createdAt, lifetimes);
}

function encodeAssociation({ at, after, fields }: AssociationEvent, createdAt: number): string {
  return `${at - createdAt},${after},${bitSetOf(fields)};`;
}

function decodeAssociation(text: string, createdAt: number): AssociationEvent {
  const [at = 0, after = 0, bits = 0] = text.split(",").map(Number);
  return { at: createdAt + at, after, fields: fieldsOfBitSet(bits) };
}
