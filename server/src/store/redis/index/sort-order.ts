import { SESSION_ID_CHARACTERS, timeAndCount } from "../../../session/id.ts";
import type { RetentionPolicy } from "../../../session/retention.ts";
import { INDEX_SHARDS, SHARD_TIME } from "../layout/key-names.ts";

/*
 * Sorted sets compare bytes, but Base64url does not sort like the bytes that it encodes. Index entries are session
 * ids in an alphabet with the same characters in ascending order, and so sort by creation.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SORTED = ALPHABET.split("").toSorted().join("");
/** Greater than any entry. */
export const LAST = "~";
const MAX_TIME = 2 ** 48 - 1;

/**
 * Returns a function that replaces each character of `from` by the one of `to` at the same position. Works on bytes in
 * place: every change comes through here, and building a string takes eight times as long.
 */
function createTranslation(from: string, to: string): (text: string) => string {
  const codes = new Uint8Array(128);
  for (let i = 0; i < from.length; i++) codes[from.charCodeAt(i)] = to.charCodeAt(i);
  const result = Buffer.alloc(SESSION_ID_CHARACTERS);
  return (text) => {
    for (let i = 0; i < text.length; i++) result[i] = codes[text.charCodeAt(i)] as number;
    return result.toString("latin1", 0, text.length);
  };
}

/** Converts a session id, or the beginning of one, to an entry. */
export const entryOf = createTranslation(ALPHABET, SORTED);
/** Converts an entry to its session id. */
export const idOf = createTranslation(SORTED, ALPHABET);

/** Returns the lower bound of all entries that were created at `time` (Unix ms) or later. */
export function boundAt(time: number): string {
  const head = Buffer.alloc(6);
  head.writeUIntBE(Math.max(0, Math.min(MAX_TIME, Math.floor(time))), 0, 6);
  return entryOf(head.toString("base64url"));
}

/** Returns the shard of a session by its creation time, so that sessions created together share a command. */
export function shardOf(id: string): number {
  return Math.floor(timeAndCount(id).createdAt / SHARD_TIME) % INDEX_SHARDS;
}

/** Bounds of an index: the first two arguments of `scripts/update-index.lua`. */
export type IndexBounds = (now: number) => readonly (string | number)[];

/** Creates the bounds for sessions of a policy. Remembers the last ones, as many operations share a time. */
export function createIndexBounds({ lifetimes, retention }: RetentionPolicy): IndexBounds {
  /** Maximum time in ms from creation to purge of a session. */
  const longest = Math.max(lifetimes.anonymous.total, lifetimes.recognized.total) + retention;
  let last = { now: Number.NaN, bounds: [] as readonly (string | number)[] };
  return (now) => {
    if (last.now !== now) last = { now, bounds: [boundAt(now - longest), longest] };
    return last.bounds;
  };
}
