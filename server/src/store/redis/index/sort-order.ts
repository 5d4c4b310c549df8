import { HANDLE_CHARACTERS } from "../../../session/id.ts";

/*
 * An index must sort sessions by their creation. Redis sorts the entries of an index as text, but Base64url text does
 * not sort like the bytes that it encodes. So indexes contain the handles in another alphabet, which has the same characters
 * in ascending order.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SORTED = ALPHABET.split("").toSorted().join("");
/** A text that sorts after every handle in an index. */
export const LAST = "~";
/** The latest time (Unix ms) that a handle can contain. */
const MAX_TIME = 2 ** 48 - 1;

/**
 * Returns a function that replaces each character of `from` by the character of `to` at the same position. The function
 * writes into one buffer that it reuses, because it is called for every new index entry. Building a string instead
 * would take eight times as long.
 */
function createTranslation(from: string, to: string): (text: string) => string {
  const codes = new Uint8Array(128);
  for (let i = 0; i < from.length; i++) codes[from.charCodeAt(i)] = to.charCodeAt(i);
  const result = Buffer.alloc(HANDLE_CHARACTERS);
  return (text) => {
    for (let i = 0; i < text.length; i++) result[i] = codes[text.charCodeAt(i)] as number;
    return result.toString("latin1", 0, text.length);
  };
}

/** Converts a handle, or the beginning of one, to its form in indexes. */
export const entryOf = createTranslation(ALPHABET, SORTED);
/** Converts the form of a handle in indexes to the handle. */
export const handleOfEntry = createTranslation(SORTED, ALPHABET);

/** Returns the lower bound, as in indexes, of the handles of all sessions that were created at `time` (Unix ms) or later. */
export function boundAt(time: number): string {
  const head = Buffer.alloc(6);
  head.writeUIntBE(Math.max(0, Math.min(MAX_TIME, Math.floor(time))), 0, 6);
  return entryOf(head.toString("base64url"));
}
