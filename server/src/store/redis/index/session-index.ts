import { idFields } from "../../../session/fields.ts";
import type { Identity } from "../../../session/session.ts";
import type { Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";
import { entryOf, shardOf } from "./sort-order.ts";

/*
 * There is one index of all sessions, and one for each agent, customer, visit and global visit. An index is a sorted
 * set of handles in the order of creation.
 *
 * An entry is added before its session is stored, because both are in different slots. If the session is not stored in
 * the end, the entry remains. So readers of an index always read the session too.
 *
 * Entries that are older than any retained session are removed when entries are added or counted. An index to which no
 * entries are added expires.
 */

/** Adds a session to the indexes of its `ids`. If `isNew`, also adds it to the index of all sessions. */
export async function addToIndexes(
  operation: Operation,
  handle: string,
  ids: Partial<Identity>,
  isNew: boolean,
): Promise<void> {
  const entry = entryOf(handle);
  const names = namesOf(operation, handle, ids, isNew);
  await Promise.all(names.map((name) => operation.engine.addIndexEntry(operation, name, entry)));
}

/** Returns the keys of the indexes that `addToIndexes` uses, and the arguments of `scripts/update-index.lua`. */
export function indexEntriesFor(operation: Operation, handle: string, ids: Partial<Identity>, isNew: boolean) {
  const bounds = operation.engine.indexBounds(operation.now);
  return { names: namesOf(operation, handle, ids, isNew), args: [...bounds, 0, entryOf(handle)] };
}

/** Removes a session from the indexes of its `ids` and from the index of all sessions. */
export async function removeFromIndexes(operation: Operation, handle: string, ids: Identity) {
  const names = namesOf(operation, handle, ids, true);
  await Promise.all(names.map((name) => operation.write("zrem", name, entryOf(handle))));
}

/** Removes outdated entries from an index, and returns the number of the remaining entries. */
export async function countIndex(operation: Operation, name: string): Promise<number> {
  const bounds = [...operation.engine.indexBounds(operation.now)];
  return Number(await operation.run(scripts.updateIndex, [name], bounds));
}

function namesOf({ keys }: Operation, handle: string, ids: Partial<Identity>, isNew: boolean) {
  const names = idFields.flatMap((field) => {
    const value = ids[field];
    return value == null ? [] : [keys.index(field, value)];
  });
  return isNew ? [keys.allSessions(shardOf(handle)), ...names] : names;
}
