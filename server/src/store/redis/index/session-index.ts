import { idFields } from "../../../session/fields.ts";
import type { Identity } from "../../../session/session.ts";
import type { Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";
import { entryOf, shardOf } from "./sort-order.ts";

/*
 * The indexes of all sessions and of those with an id: sorted sets of session ids in the order of creation. An entry is
 * added before its session is stored, in another slot. It may point to nothing, so readers look at the session. Entries
 * older than any retained session are removed when entries are added or counted; an index without new entries expires.
 */

/** Adds a session to the indexes of `ids`, and to that of all sessions if `isNew`. */
export async function addToIndexes(
  operation: Operation,
  id: string,
  ids: Partial<Identity>,
  isNew: boolean,
): Promise<void> {
  const entry = entryOf(id);
  const names = namesOf(operation, id, ids, isNew);
  await Promise.all(names.map((name) => operation.engine.addIndexEntry(operation, name, entry)));
}

/** Returns keys of indexes, and the arguments of `scripts/update-index.lua` that add an entry to each of them. */
export function indexEntriesFor(
  operation: Operation,
  id: string,
  ids: Partial<Identity>,
  isNew: boolean,
) {
  const bounds = operation.engine.indexBounds(operation.now);
  return { names: namesOf(operation, id, ids, isNew), args: [...bounds, 0, entryOf(id)] };
}

export async function removeFromIndexes(operation: Operation, id: string, ids: Identity) {
  const names = namesOf(operation, id, ids, true);
  await Promise.all(names.map((name) => operation.write("zrem", name, entryOf(id))));
}

/** Removes outdated entries from an index and returns the number of the others. */
export async function countIndex(operation: Operation, name: string): Promise<number> {
  const bounds = [...operation.engine.indexBounds(operation.now)];
  return Number(await operation.run(scripts.updateIndex, [name], bounds));
}

function namesOf({ keys }: Operation, id: string, ids: Partial<Identity>, isNew: boolean) {
  const names = idFields.flatMap((field) => {
    const value = ids[field];
    return value == null ? [] : [keys.index(field, value)];
  });
  return isNew ? [keys.allSessions(shardOf(id)), ...names] : names;
}
