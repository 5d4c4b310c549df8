import { type IdField, idFields, idFieldTable } from "../../../session/fields.ts";
import { timeAndCount } from "../../../session/id.ts";
import { type Lifetimes, implicitSession as newImplicitSession } from "../../../session/lifetime.ts";
import { type Identity, identityOf, noIdentity, type Session } from "../../../session/session.ts";
import type { AssociationEvent } from "../../../session/timeline.ts";
import { noTraits, type Traits } from "../../../session/traits.ts";
import { bitsOf, effectOf } from "../../event-bits.ts";

/*
 * A stored session is a text of lines. Ids and traits contain no line breaks. `session/fields.ts` has the line of each
 * id; a text may lack the last lines. Times are in ms since the session's creation; the handle contains the time of
 * creation.
 *
 *   last active | expires | state | agent | customer | visit | global visit | associations | generation
 *     | profile | label | data
 *
 * The state is one of:
 *   ''               live or expired
 *   `e` and a nonce  ended
 *   `g`              erased, or being erased
 *   `x`              expired; marked by a contender for the visit, so that no process with a slower clock renews it
 *   `y`              expired; marked as `x`, and its event is noted
 *
 * Each association is `at,after,bits;`: the time, the number of records before it, and what happened (`event-bits.ts`).
 *
 * The line `data` is `1` if the session has, or has had, data. The data have a key of their own.
 *
 * The line of the generation is `generation nonce`: the nonce is that of the last rotation, so that a rotation that is
 * sent twice is recognized. An imported session has no nonce. A session that was never rotated has no such line, or an
 * empty one before its profile, label and `data`.
 *
 * `scripts/prelude/session.lua` reads and writes the same format.
 */

const SEPARATOR = "\n";
const STATE_LINE = 2;
export const HISTORY_LINE = 7;
export const GENERATION_LINE = 8;
export const PROFILE_LINE = 9;
export const LABEL_LINE = 10;
export const DATA_LINE = 11;
/** The field whose id is in a line. */
const fieldOfLine: (IdField | undefined)[] = [];
for (const field of idFields) fieldOfLine[idFieldTable[field].redisLine] = field;
const LAST_ID_LINE = fieldOfLine.length - 1;
const ENDED = "e";
const ERASED = "g";

/** A stored session and its associations. */
export interface SessionWithHistory {
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
}

/** Encodes a session as it is stored. `hasData` is whether it has, or has had, data. */
export function encode(session: Session, associations: readonly AssociationEvent[] = [], hasData = false): string {
  const { createdAt } = session;
  // Appending takes half the time of a list, and leaves the copying to the one who needs the characters, who often copies
  // many texts at once.
  let text = `${session.lastActiveAt - createdAt}\n${session.expiresAt - createdAt}\n${session.ended ? ENDED : ""}`;
  const last = Math.max(LAST_ID_LINE, hasData ? DATA_LINE : lastLineOf(session));
  for (let line = STATE_LINE + 1; line <= last; line++) {
    const field = fieldOfLine[line];
    text += SEPARATOR;
    if (field !== undefined) text += session[field] ?? "";
    else if (line === HISTORY_LINE) for (const event of associations) text += encodeAssociation(event, createdAt);
    else if (line === GENERATION_LINE) text += session.generation || "";
    else if (line === PROFILE_LINE) text += session.profile ?? "";
    else if (line === LABEL_LINE) text += session.label ?? "";
    else if (line === DATA_LINE && hasData) text += "1";
  }
  return text;
}

/** Returns the last line with content besides ids and data. The line of the associations is always there. */
function lastLineOf({ generation, profile, label }: Session): number {
  if (label !== null) return LABEL_LINE;
  if (profile !== null) return PROFILE_LINE;
  return generation > 0 ? GENERATION_LINE : HISTORY_LINE;
}

/** Decodes a stored session. If it is being erased, the result has neither ids nor traits. */
export function decode(handle: string, text: string): Session {
  const { createdAt } = timeAndCount(handle);
  const lines = text.split(SEPARATOR);
  const isErasure = lines[2] === ERASED;
  return {
    handle,
    generation: Number.parseInt(lines[GENERATION_LINE] || "0", 10),
    createdAt,
    lastActiveAt: createdAt + Number(lines[0]),
    expiresAt: createdAt + Number(lines[1]),
    ended: isErasure || lines[2]?.startsWith(ENDED) === true,
    ...(isErasure ? noIdentity : idsIn(lines)),
    ...(isErasure ? noTraits : traitsIn(lines)),
  };
}

/** Returns whether the text is that of a session that is erased or being erased. */
export function isErased(text: string): boolean {
  return text.split(SEPARATOR, 3)[2] === ERASED;
}

/** Returns whether a stored session has neither ended nor expired, or its expiry was not noted yet. */
export function mayExpire(text: string): boolean {
  const state = text.split(SEPARATOR, 3)[2];
  return state === "" || state === "x";
}

/** Returns whether a process has marked a stored session as expired, so that it never becomes live again. */
export function isMarkedExpired(text: string): boolean {
  const state = text.split(SEPARATOR, 3)[2];
  return state === "x" || state === "y";
}

/** Returns whether a stored session has, or has had, data. */
export function hasHadData(text: string): boolean {
  return (text.split(SEPARATOR)[DATA_LINE] ?? "") !== "";
}

/** Returns whether the last rotation of a stored session is the one with this nonce, from the generation `from`. */
export function isRotatedBy(text: string, from: number, nonce: string): boolean {
  return text.split(SEPARATOR)[GENERATION_LINE] === `${from + 1} ${nonce}`;
}

/** Decodes the ids of a stored session, even if it is being erased. */
export function decodeIds(text: string): Identity {
  return idsIn(text.split(SEPARATOR));
}

function idsIn(lines: readonly string[]): Identity {
  return identityOf((field) => lines[idFieldTable[field].redisLine] || null);
}

function traitsIn(lines: readonly string[]): Traits {
  return { profile: lines[PROFILE_LINE] || null, label: lines[LABEL_LINE] || null };
}

/** Decodes a stored session and its associations. An erased session has none. */
export function decodeWithHistory(handle: string, text: string): SessionWithHistory {
  const session = decode(handle, text);
  if (isErased(text)) return { session, associations: [] };
  const events = text.split(SEPARATOR)[HISTORY_LINE]?.split(";").slice(0, -1) ?? [];
  return {
    session,
    associations: events.map((event) => decodeAssociation(event, session.createdAt)),
  };
}

/** Returns the implicit session of a handle for which nothing is stored (contract.md#rule-8). */
export function implicitSession(handle: string, lifetimes: Lifetimes): Session {
  return newImplicitSession(handle, timeAndCount(handle).createdAt, lifetimes);
}

function encodeAssociation(event: AssociationEvent, createdAt: number): string {
  return `${event.at - createdAt},${event.after},${bitsOf(event)};`;
}

function decodeAssociation(text: string, createdAt: number): AssociationEvent {
  const [at = 0, after = 0, bits = 0] = text.split(",").map(Number);
  return { at: createdAt + at, after, ...effectOf(bits) };
}
