import { type IdField, idFields, idFieldTable } from "../../../session/fields.ts";
import { HANDLE_CHARACTERS, timeAndCount } from "../../../session/id.ts";
import type { Identity } from "../../../session/session.ts";
import { digestOf, digestOfVisit } from "../layout/key-names.ts";
import { indexTags, tagOfHash } from "../layout/shards.ts";
import { entryOf } from "./sort-order.ts";

/*
 * The indexes contain handles, in an alphabet that sorts (`sort-order.ts`). For each shard that has indexes and each
 * day on which sessions were created there are:
 *
 *   ids        a hash: the hash of an id -> up to `MAX_INLINE` handles, one after the other
 *   overflow   a sorted set for each id that has more handles than that
 *   sessions   a sorted set of all sessions that were created in some of the day's seconds
 *
 * The first character of an id's hash chooses the shard, and the others are the field of the hash. Different ids may
 * have the same hash, so readers of an index always read the session too. All scores are 0, so Redis sorts the handles
 * as text.
 *
 * A hash takes 90 bytes and 1.5 us of Redis' time for an entry. A sorted set of all entries, each beginning with the
 * hash of its id, takes 130 bytes and 2.7 us, because most entries belong between others.
 */

/** Length (ms) of a day, which one set of indexes covers. */
export const DAY_MS = 24 * 60 * 60 * 1000;
/** Number of characters of an id's hash: one that chooses the shard, and those of the field. They encode 60 bits. */
const HASH = 10;
/** Number of characters of a hash that are a field of an index of ids. */
const FIELD = HASH - 1;
/** Number of characters of a pair in `Entries.ids`. */
export const PAIR = FIELD + HANDLE_CHARACTERS;
/** Placeholder for the hash of an id that is not given. */
const NO_HASH = " ".repeat(HASH);
/** Time (ms) for which all new sessions are added to the same index of all sessions, so that they share a command. */
const SLICE_MS = 1000;
/** Number of shards that have an index of all sessions. A reader reads all of them. */
const SESSION_SHARDS = 16;

/** The tags of the shards that have an index of all sessions. */
export const sessionTags = indexTags.filter((_, i) => i % (indexTags.length / SESSION_SHARDS) === 0);

/** Returns the day (since 1970, UTC) of a time (Unix ms), which is part of the name of an index. */
export function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

/** Returns the hash of an id in indexes. The hashes of different fields are independent of each other. */
export function indexHash(field: IdField, id: string): string {
  const from = idFieldTable[field].redisHash;
  const digest = field === "visitId" ? digestOfVisit(id) : digestOf(id);
  return digest.slice(from, from + HASH);
}

/** Returns the joined hashes of the given ids, in the order of `idFields`. */
export function givenHashes(ids: Identity): string {
  let hashes = "";
  for (const field of idFields) {
    const id = ids[field];
    if (id !== null) hashes += indexHash(field, id);
  }
  return hashes;
}

/** Returns the hashes of the given ids in the order of `idFields`; spaces for each id that is not given. */
export function indexHashes(ids: Partial<Identity>): string {
  let hashes = "";
  for (const field of idFields) {
    const id = ids[field];
    hashes += id == null ? NO_HASH : indexHash(field, id);
  }
  return hashes;
}

/** Returns where the handles of an id are: the tag of the shard, and the field of the hash. */
export function placeOf(hash: string): { readonly tag: string; readonly field: string } {
  return { tag: tagOfHash(hash), field: hash.slice(1) };
}

/** Entries for the indexes of one shard and day, as texts, because a command with one text is sent faster than one of many. */
export interface Entries {
  readonly tag: string;
  readonly day: number;
  /** Pairs for the index of ids, one after the other: a field, and a handle as it is in indexes. */
  ids: string;
  /** Handles for the index of all sessions, one after the other. */
  sessions: string;
}

/** Returns the field and the handle of a pair. `position` (from 0) is that of the pair in `ids`. */
export function pairAt(ids: string, position: number): { readonly field: string; readonly entry: string } {
  const from = position * PAIR;
  return { field: ids.slice(from, from + FIELD), entry: ids.slice(from + FIELD, from + PAIR) };
}

/** Collects entries by shard and day. */
export class EntryCollection {
  readonly #all: Entries[] = [];
  readonly #byDay = new Map<number, Map<string, Entries>>();

  /** Adds a session: for each of the joined `hashes` (`indexHashes`), and if `isNew` to the index of all sessions. */
  add(handle: string, hashes: string, isNew: boolean): void {
    const { createdAt } = timeAndCount(handle);
    const day = dayOf(createdAt);
    const entry = entryOf(handle);
    let byTag = this.#byDay.get(day);
    if (byTag === undefined) {
      byTag = new Map();
      this.#byDay.set(day, byTag);
    }
    if (isNew) {
      const slice = Math.floor(createdAt / SLICE_MS) % SESSION_SHARDS;
      this.#of(byTag, sessionTags[slice] as string, day).sessions += entry;
    }
    for (let at = 0; at < hashes.length; at += HASH) {
      if (hashes[at] === " ") continue;
      const { tag, field } = placeOf(hashes.slice(at, at + HASH));
      this.#of(byTag, tag, day).ids += field + entry;
    }
  }

  /** The entries by shard and day. */
  get all(): Iterable<Entries> {
    return this.#all;
  }

  #of(byTag: Map<string, Entries>, tag: string, day: number): Entries {
    let entries = byTag.get(tag);
    if (entries === undefined) {
      entries = { tag, day, ids: "", sessions: "" };
      byTag.set(tag, entries);
      this.#all.push(entries);
    }
    return entries;
  }
}
