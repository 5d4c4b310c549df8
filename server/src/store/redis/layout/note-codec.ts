import { HANDLE_CHARACTERS } from "../../../session/id.ts";

/*
 * A note says that a session has changed so that it must be found by other data than before. The script that makes the
 * change writes the note into the queue of the session's shard, which is a stream. The id of the stream entry orders the
 * notes of a session, and names the note in its queue forever. The text of a note:
 *
 *   handle, bits `,` age `,` hashes
 *
 * The bits are those of the ids that the change has added, of a rotation (`event-bits.ts`), and `CREATED_BIT`. The age is
 * the time of the change in ms since the session's creation. The hashes of the added ids (`index/index-entry.ts`) follow
 * each other in the order of the ids. So a note has what its index entries need, and no id.
 *
 * `scripts/prelude/notes.lua` writes the same format.
 */

/** The bit of a change before which nothing was stored of the session. */
export const CREATED_BIT = 16;

/** A note in its queue. */
export interface Note {
  /** Key name of the queue. */
  readonly queue: string;
  readonly id: string;
  readonly text: string;
}

/** The contents of a note. */
export interface NoteContents {
  readonly handle: string;
  /** Whether nothing was stored of the session before. */
  readonly isNew: boolean;
  /** The joined hashes of the ids that the change has added. */
  readonly hashes: string;
}

/** Encodes the note of a new session. `bits` are those of its ids, `hashes` their joined hashes. */
export function encodeCreation(handle: string, bits: number, hashes: string): string {
  return `${handle}${bits + CREATED_BIT},0,${hashes}`;
}

/** Decodes the text of a note, except the time of the change, which index entries do not need. */
export function decodeNote(text: string): NoteContents {
  const bits = Number.parseInt(text.slice(HANDLE_CHARACTERS), 10);
  return {
    handle: text.slice(0, HANDLE_CHARACTERS),
    isNew: (bits & CREATED_BIT) !== 0,
    hashes: text.slice(text.lastIndexOf(",") + 1),
  };
}
