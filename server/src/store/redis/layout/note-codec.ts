import { type EndReason, type ExpiryReason, endReasons } from "../../../session/event.ts";
import { idFields, idFieldTable } from "../../../session/fields.ts";
import { HANDLE_CHARACTERS } from "../../../session/id.ts";
import type { Identity, Session } from "../../../session/session.ts";

/*
 * A note says that a session has changed so that it must be found by other data than before, or that the change is to be
 * published. The script that makes the change writes the note into the queue of the session's shard, which is a stream.
 * The id of the stream entry orders the notes of a session, and names the note in its queue forever. An entry of the
 * queue has the texts of one or more notes. The text of a note:
 *
 *   handle, bits `,` age `,` hashes                                    if no events are published
 *   handle, bits `,` age `,` hashes `,` ids `,` expiry `,` last use `,` reason
 *
 * The bits are those of the ids that the change has added, of a rotation (`event-bits.ts`), and `noteBits`. The age is
 * the time of the change. It, expiry and last use are in ms since the session's creation. The hashes of the added ids
 * (`index/index-entry.ts`) follow each other in the order of the ids. So a note has what its index entries need, and no
 * id. The second form has the session right after the change: the bits of all its ids, its times, and why it is over.
 *
 * `scripts/prelude/notes.lua` writes the same format.
 */

/** The text between the notes of an entry. */
const SEPARATOR = "\n";

/** The bits of a note besides those in `event-bits.ts`. */
export const noteBits = {
  /** Nothing was stored of the session before. */
  created: 16,
  /** The session has its first id or record, so it is published from now on. */
  published: 64,
  /** The session expires earlier than before. */
  earlier: 128,
  ended: 256,
  expired: 512,
  /** The session was created with its ids, so they are no association. */
  initial: 1024,
  /** The session has ended without ever having had an id or a record. */
  unpublished: 2048,
} as const;

/** An entry of a queue. */
export interface Note {
  /** Key name of the queue. */
  readonly queue: string;
  readonly id: string;
  /** The texts of its notes. */
  readonly texts: readonly string[];
}

/** Returns the texts of the notes in an entry of a queue. */
export function textsIn(entry: string): string[] {
  return entry.split(SEPARATOR);
}

/** The contents of a note. */
export interface NoteContents {
  readonly handle: string;
  readonly bits: number;
  /** Time of the change, in ms since the session's creation. */
  readonly age: number;
  /** Whether nothing was stored of the session before. */
  readonly isNew: boolean;
  /** The joined hashes of the ids that the change has added. */
  readonly hashes: string;
  /** The session right after the change; `undefined` if no events are published. */
  readonly moment: NoteMoment | undefined;
}

/** A session right after a change. Times are in ms since its creation. */
export interface NoteMoment {
  /** The bits of all its ids. */
  readonly ids: number;
  readonly expiresAfter: number;
  readonly activeAfter: number;
  /** Why it is over: the number of an `EndReason`, or an `ExpiryReason`; `""` while it lives. */
  readonly reason: string;
}

/** Returns the bits of the ids that a session has. Each change calls this function, so it makes no lists. */
function bitSetOfIds(session: Identity): number {
  let bits = 0;
  for (const field of idFields) if (session[field] !== null) bits += idFieldTable[field].bit;
  return bits;
}

/** Encodes the note of a new session. `hashes` are those of its ids. */
export function encodeCreation(session: Session, hashes: string, isPublished: boolean): string {
  const { handle, createdAt, expiresAt, lastActiveAt } = session;
  const ids = bitSetOfIds(session);
  const bits = ids + noteBits.created;
  if (!isPublished) return `${handle}${bits},0,${hashes}`;
  const published = noteBits.initial + (ids === 0 ? 0 : noteBits.published);
  const moment = `${ids},${expiresAt - createdAt},${lastActiveAt - createdAt},`;
  return `${handle}${bits + published},0,${hashes},${moment}`;
}

/**
 * Encodes the note of a session that was implicit and has got its first ids at `now`. `hashes` are those of the ids;
 * `expiredAt` is when the implicit session would have expired.
 */
export function encodeFirstIds(
  session: Session,
  { hashes, now, expiredAt, isPublished }: { hashes: string; now: number; expiredAt: number; isPublished: boolean },
): string {
  const { handle, createdAt, expiresAt, lastActiveAt } = session;
  const ids = bitSetOfIds(session);
  const age = now - createdAt;
  const bits = ids + noteBits.created;
  if (!isPublished) return `${handle}${bits},${age},${hashes}`;
  const published = noteBits.published + (expiresAt < expiredAt ? noteBits.earlier : 0);
  return `${handle}${bits + published},${age},${hashes},${ids},${expiresAt - createdAt},${lastActiveAt - createdAt},`;
}

/** Decodes the text of a note. */
export function decodeNote(text: string): NoteContents {
  const parts = text.slice(HANDLE_CHARACTERS).split(",");
  const [bits = "", age = "", hashes = "", ids, expiresAfter, activeAfter, reason = ""] = parts;
  const set = Number(bits);
  return {
    handle: text.slice(0, HANDLE_CHARACTERS),
    bits: set,
    age: Number(age),
    isNew: (set & noteBits.created) !== 0,
    hashes,
    moment:
      ids === undefined
        ? undefined
        : { ids: Number(ids), expiresAfter: Number(expiresAfter), activeAfter: Number(activeAfter), reason },
  };
}

/** Returns the number that stands for a reason in a note. */
export function numberOfEndReason(reason: EndReason): number {
  return endReasons.indexOf(reason);
}

/** Returns the reason for which this number stands. */
export function endReasonOf(number: string): EndReason {
  return endReasons[Number(number)] ?? "caller";
}

/** Returns the reason in the note of an expiry. */
export function expiryReasonOf(text: string): ExpiryReason {
  return text === "lifetime" ? "lifetime" : "idle";
}
