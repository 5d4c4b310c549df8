import type { OpenedSession } from "../services/sessions.ts";
import { idFields } from "../session/fields.ts";
import { isRecognized, type Session } from "../session/session.ts";
import { hasTraits, type Traits } from "../session/traits.ts";

/** Returns the `SessionInfo` of a session as JSON text (contract.md#sessioninfo). */
export function sessionInfo(opened: OpenedSession): string {
  const bytes = Buffer.allocUnsafe(maxLengthOf(opened));
  return bytes.toString("utf8", 0, writeSessionInfo(opened, bytes, 0));
}

/** Returns the `SessionInfo` of a session with the member `data`, which is JSON text (contract.md#data). */
export function sessionInfoWithData(opened: OpenedSession, data: string): string {
  return `${sessionInfo(opened).slice(0, -1)},"data":${data}}`;
}

/** Writes the text of `sessionInfoWithData` into a buffer, which must have room for `maxLengthWithData`. */
export function writeSessionInfoWithData(opened: OpenedSession, data: string, bytes: Buffer, start: number): number {
  // Overwrites the brace at the end.
  const at = writePart(DATA, bytes, writeSessionInfo(opened, bytes, start) - END_OF_OBJECT.length);
  return writePart(END_OF_OBJECT, bytes, at + bytes.write(data, at));
}

/** Returns an upper bound of the length of a `SessionInfo` with these data in bytes. */
export function maxLengthWithData(opened: OpenedSession, data: string): number {
  return maxLengthOf(opened) + DATA.length + MAX_UTF8 * data.length;
}

/**
 * Writes the same text as `sessionInfo`, in UTF-8, into `bytes` at `start`. Returns the position after the text. There
 * must be room for `maxLengthOf(opened)` bytes.
 *
 * Writing this text is most of the work of a response. So it is written byte by byte: a string would first be allocated
 * in memory that is in no processor cache, then be copied twice, and at last be garbage-collected.
 */
export function writeSessionInfo({ id: sessionId, session }: OpenedSession, bytes: Buffer, start: number): number {
  let at = writePart(OPENING, bytes, start);
  at = writeAscii(sessionId, bytes, at);
  at = writePart(isRecognized(session) ? RECOGNIZED : ANONYMOUS, bytes, at);
  for (let i = 0; i < ids.length; i++) {
    const { field, name, none } = ids[i] as IdMember;
    const id = session[field];
    if (id === null) at = writePart(none, bytes, at);
    else at = writeText(id, bytes, writePart(name, bytes, at));
  }
  at = writePart(CREATED_AT, bytes, at);
  at = writeTime(session.createdAt, bytes, at);
  at = writePart(LAST_ACTIVE_AT, bytes, at);
  at = writeTime(session.lastActiveAt, bytes, at);
  at = writePart(EXPIRES_AT, bytes, at);
  at = writeTime(session.expiresAt, bytes, at);
  if (!hasTraits(session)) return writePart(END, bytes, at);
  return writeTraits(session, bytes, at);
}

/** Writes the end of the text after a time: the members `profile` and `label` where they are set. */
function writeTraits({ profile, label }: Traits, bytes: Buffer, start: number): number {
  let at = writePart(AFTER_TIME, bytes, start);
  if (profile !== null) at = writeText(profile, bytes, writePart(PROFILE, bytes, at));
  if (label !== null) at = writeText(label, bytes, writePart(LABEL, bytes, at));
  return writePart(END_OF_OBJECT, bytes, at);
}

/** Returns an upper bound of the length of a `SessionInfo` in bytes. */
export function maxLengthOf({ id, session }: OpenedSession): number {
  return MAX_REST + id.length + MAX_ESCAPED * lengthOfTexts(session);
}

const part = (text: string) => Buffer.from(text);
const OPENING = part('{"sessionId":"');
const ANONYMOUS = part('","state":"anonymous"');
const RECOGNIZED = part('","state":"recognized"');
/** The beginning of the member of each id, and the whole member of an id that is not set. */
const ids = idFields.map((field) => ({
  field,
  name: part(`,"${field}":`),
  none: part(`,"${field}":null`),
}));
type IdMember = (typeof ids)[number];
const CREATED_AT = part(',"createdAt":"');
const LAST_ACTIVE_AT = part('","lastActiveAt":"');
const EXPIRES_AT = part('","expiresAt":"');
const END = part('"}');
const AFTER_TIME = part('"');
const PROFILE = part(',"profile":');
const LABEL = part(',"label":');
const END_OF_OBJECT = part("}");
const DATA = part(',"data":');

/** Upper bound (bytes) of everything except the ids and traits: member names, quotes, and times (years may have six digits). */
const MAX_REST = 256 + ids.reduce((sum, { none }) => sum + none.length, 0);
/** Maximum bytes of a UTF-16 code unit in UTF-8. */
const MAX_UTF8 = 3;
/** Maximum bytes of a UTF-16 code unit in JSON, as in "\ud800". */
const MAX_ESCAPED = 6;

function lengthOfTexts(session: Session): number {
  let length = (session.profile?.length ?? 0) + (session.label?.length ?? 0);
  for (let i = 0; i < ids.length; i++) length += session[(ids[i] as IdMember).field]?.length ?? 0;
  return length;
}

function writePart(text: Uint8Array, bytes: Buffer, start: number): number {
  for (let i = 0; i < text.length; i++) bytes[start + i] = text[i] as number;
  return start + text.length;
}

function writeAscii(text: string, bytes: Buffer, start: number): number {
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function writeText(text: string, bytes: Buffer, start: number): number {
  let at = start;
  bytes[at++] = QUOTE;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isPlain = code >= 0x20 && code <= 0x7e && code !== QUOTE && code !== BACKSLASH;
    if (!isPlain) return start + bytes.write(JSON.stringify(text), start);
    bytes[at++] = code;
  }
  bytes[at++] = QUOTE;
  return at;
}

const DAY = 86_400_000;
/**
 * Formatted dates, each with a "T", by days since 1970. Few suffice: most sessions in use are from the same few days.
 */
const dates = new Map<number, Uint8Array>();
const MAX_DATES = 64;

function dateOf(day: number): Uint8Array {
  let date = dates.get(day);
  if (date === undefined) {
    if (dates.size >= MAX_DATES) dates.clear();
    const text = new Date(day * DAY).toISOString();
    date = part(text.slice(0, text.indexOf("T") + 1));
    dates.set(day, date);
  }
  return date;
}

/** Writes a time in the format of `toISOString`, and returns the position after it. */
function writeTime(time: number, bytes: Buffer, start: number): number {
  const day = Math.floor(time / DAY);
  const ofDay = time - day * DAY;
  const seconds = Math.trunc(ofDay / 1000);
  const minutes = Math.trunc(seconds / 60);
  const hours = Math.trunc(minutes / 60);
  const milliseconds = ofDay - seconds * 1000;
  const hundreds = Math.trunc(milliseconds / 100);
  const at = writePart(dateOf(day), bytes, start);
  writeTwoDigits(hours, bytes, at);
  bytes[at + 2] = COLON;
  writeTwoDigits(minutes - hours * 60, bytes, at + 3);
  bytes[at + 5] = COLON;
  writeTwoDigits(seconds - minutes * 60, bytes, at + 6);
  bytes[at + 8] = POINT;
  bytes[at + 9] = ZERO + hundreds;
  writeTwoDigits(milliseconds - hundreds * 100, bytes, at + 10);
  bytes[at + 12] = Z;
  return at + 13;
}

const COLON = 0x3a;
const POINT = 0x2e;
const ZERO = 0x30;
const Z = 0x5a;

function writeTwoDigits(value: number, bytes: Buffer, at: number): void {
  const tens = Math.trunc(value / 10);
  bytes[at] = ZERO + tens;
  bytes[at + 1] = ZERO + value - tens * 10;
}
