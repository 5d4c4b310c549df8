import { idFields, idFieldTable } from "../../../session/fields.ts";
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
export const HISTORY_LINE = 7;
export const GENERATION_LINE = 8;
export const PROFILE_LINE = 9;
export const LABEL_LINE = 10;
export const DATA_LINE = 11;
const ENDED = "e";
const ERASED = "g";

/** A stored session and its associations. */
export interface SessionWithHistory {
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
}

/** Encodes a session as it is stored. `hasData` is whether it has, or has had, data. */
export function encode(session: Session, associations: readonly AssociationEvent[] = [], hasData = false): string {
  const { createdAt, generation } = session;
  const lines = [session.lastActiveAt - createdAt, session.expiresAt - createdAt, session.ended ? ENDED : ""];
  for (const field of idFields) lines[idFieldTable[field].redisLine] = session[field] ?? "";
  lines[HISTORY_LINE] = associations.map((event) => encodeAssociation(event, createdAt)).join("");
  if (generation > 0) lines[GENERATION_LINE] = generation;
  if (session.profile !== null) lines[PROFILE_LINE] = session.profile;
  if (session.label !== null) lines[LABEL_LINE] = session.label;
  if (hasData) lines[DATA_LINE] = 1;
  // Appending leaves the copying to the one who needs the characters, who often copies many texts at once.
  let text = String(lines[0]);
  for (let i = 1; i < lines.length; i++) text += SEPARATOR + (lines[i] ?? "");
  return text;
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
