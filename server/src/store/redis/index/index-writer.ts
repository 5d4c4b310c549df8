import { HANDLE_CHARACTERS } from "../../../session/id.ts";
import { longestLife } from "../../../session/lifetime.ts";
import type { RetentionPolicy } from "../../../session/retention.ts";
import type { Identity } from "../../../session/session.ts";
import type { Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";
import { FENCE_LIFE } from "../sessions/visit-claim.ts";
import { DAY_MS, type Entries, EntryCollection, indexHashes, PAIR, pairAt } from "./index-entry.ts";
import { entryOf } from "./sort-order.ts";

/** Maximum number of handles in one command. The number is small, because a script blocks the Redis server. */
const MAX_HANDLES = 128;
/** Maximum number of handles of an id in the index of ids. Further ones go to the id's overflow. */
const MAX_INLINE = 32;

/** Returns the longest time (ms) from the creation of a session to its purge. */
export function longestRetained({ lifetimes, retention }: RetentionPolicy): number {
  return longestLife(lifetimes) + retention;
}

/**
 * Adds entries to the indexes of a shard and day, many in one command. Adding an entry again changes nothing. Entries of
 * erased sessions are not added.
 */
export async function addEntries(operation: Operation, entries: Entries): Promise<void> {
  const { tag, day, ids, sessions } = entries;
  const sent: Promise<void>[] = [];
  for (let from = 0; from < ids.length; from += PAIR * MAX_HANDLES) {
    sent.push(addIds(operation, entries, ids.slice(from, from + PAIR * MAX_HANDLES)));
  }
  if (sessions !== "") sent.push(addHandles(operation, operation.keys.sessionIndex(tag, day), entries, sessions));
  await Promise.all(sent);
}

async function addIds(operation: Operation, { tag, day }: Entries, ids: string): Promise<void> {
  const { keys } = operation;
  const names = [keys.idIndex(tag, day), keys.erased(tag)];
  const args = [lifeOf(operation, day), MAX_INLINE, ids];
  const full = (await operation.prepare(scripts.addIdEntries, names, args)) as number[];
  if (full.length === 0) return;
  const pairs = full.map((position) => pairAt(ids, position));
  await Promise.all(
    Array.from(
      Map.groupBy(pairs, ({ field }) => field),
      ([field, some]) => {
        const handles = some.map(({ entry }) => entry).join("");
        return addHandles(operation, keys.overflow(tag, day, field), { tag, day }, handles);
      },
    ),
  );
}

/** Adds handles, one after the other, to the sorted set `name`, which is one of this shard and day. */
async function addHandles(
  operation: Operation,
  name: string,
  { tag, day }: Pick<Entries, "tag" | "day">,
  handles: string,
): Promise<void> {
  const names = [name, operation.keys.erased(tag)];
  const life = lifeOf(operation, day);
  const sent: Promise<unknown>[] = [];
  const size = HANDLE_CHARACTERS * MAX_HANDLES;
  for (let from = 0; from < handles.length; from += size) {
    sent.push(operation.prepare(scripts.addHandles, names, [life, handles.slice(from, from + size)]));
  }
  await Promise.all(sent);
}

/** Returns how long (ms) an index is needed: until the last session of its day is purged. */
function lifeOf({ engine, now }: Operation, day: number): number {
  const longest = longestRetained(engine.policy);
  // Even if the clock is wrong, the index does not expire at once.
  return Math.min(longest + DAY_MS, Math.max(DAY_MS, (day + 1) * DAY_MS + longest - now));
}

/** Adds a session to the indexes of its ids and of all sessions. */
export async function indexSession(operation: Operation, handle: string, ids: Identity): Promise<void> {
  await Promise.all(Array.from(entriesOf(handle, ids).all, (entries) => addEntries(operation, entries)));
}

/**
 * Removes a session that is being erased from the indexes of its ids and of all sessions. Its entries cannot be added
 * again, even if another process is just about to do so.
 */
export async function removeFromIndexes(operation: Operation, handle: string, ids: Identity): Promise<void> {
  const { keys } = operation;
  await Promise.all(
    Array.from(entriesOf(handle, ids).all, ({ tag, day, ids: pairs }) => {
      const fields = Array.from({ length: pairs.length / PAIR }, (_, i) => pairAt(pairs, i).field);
      const overflow = fields.map((field) => keys.overflow(tag, day, field));
      const names = [keys.erased(tag), keys.idIndex(tag, day), keys.sessionIndex(tag, day), ...overflow];
      return operation.change(scripts.removeEntries, names, [FENCE_LIFE, entryOf(handle), ...fields]);
    }),
  );
}

function entriesOf(handle: string, ids: Identity): EntryCollection {
  const collection = new EntryCollection();
  collection.add(handle, indexHashes(ids), true);
  return collection;
}
