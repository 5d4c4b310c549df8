import { HANDLE_CHARACTERS, timeAndCount } from "../../../session/id.ts";
import { longestLife } from "../../../session/lifetime.ts";
import type { RetentionPolicy } from "../../../session/retention.ts";
import { INDEX_SHARDS, SHARD_TIME } from "../layout/key-names.ts";

/*
 * An index must sort sessions by their creation. Redis sorts the entries of an index as text, but Base64url text does
 * not sort like the bytes that it encodes. So an index entry is a handle in another alphabet, which has the same
 * characters in ascending order.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SORTED = ALPHABET.split("").toSorted().join("");
/** A text that sorts after every entry. */
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

/** Converts a handle, or the beginning of one, to an index entry. */
export const entryOf = createTranslation(ALPHABET, SORTED);
/** Converts an index entry to the handle of its session. */
export const handleOfEntry = createTranslation(SORTED, ALPHABET);

/** Returns the lower bound of the entries of all sessions that were created at `time` (Unix ms) or later. */
export function boundAt(time: number): string {
  const head = Buffer.alloc(6);
  head.writeUIntBE(Math.max(0, Math.min(MAX_TIME, Math.floor(time))), 0, 6);
  return entryOf(head.toString("base64url"));
}

/** Returns the shard of a session. It depends on the creation time, so one command can index many new sessions. */
export function shardOf(handle: string): number {
  return Math.floor(timeAndCount(handle).createdAt / SHARD_TIME) % INDEX_SHARDS;
}

/** Returns the first two arguments of `scripts/update-index.lua` at `now`: bound and lifetime of an index. */
export type IndexBounds = (now: number) => readonly (string | number)[];

/** Creates an `IndexBounds` function. It caches its last result, because many operations have the same time. */
export function createIndexBounds({ lifetimes, retention }: RetentionPolicy): IndexBounds {
  /** Longest time (ms) from the creation of a session to its purge. */
  const longest = longestLife(lifetimes) + retention;
  let last = { now: Number.NaN, bounds: [] as readonly (string | number)[] };
  return (now) => {
    if (last.now !== now) last = { now, bounds: [boundAt(now - longest), longest] };
    return last.bounds;
  };
}
