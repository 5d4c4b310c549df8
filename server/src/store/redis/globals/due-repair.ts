import type { Operation } from "../engine.ts";
import { shardTags } from "../layout/shards.ts";
import { scripts } from "../scripts/scripts.ts";
import { parseLosses, parseRepair, type RepairState } from "./shard-losses.ts";

/** A repair of indexes that is due (`index/index-repair.ts`). */
export interface DueRepair extends RepairState {
  /** The tags of the shards whose indexes may lack entries. */
  readonly lacking: ReadonlySet<string>;
}

/** Reads the stored losses: tags and values in turn. */
export async function readLosses(operation: Operation): Promise<string[]> {
  return (await operation.command("hgetall", operation.keys.losses)) as string[];
}

/** Reads which repair is due; `undefined` if the indexes of all shards are complete. */
export async function readDueRepair(operation: Operation): Promise<DueRepair | undefined> {
  const reply = await operation.command("hmget", operation.keys.state, "lost", "repaired", "repair");
  const [lost, repaired, repair] = (reply as (string | null)[]).map((field) => field ?? undefined);
  const state = parseRepair(lost, repaired, repair);
  if (state.repairedAt >= state.lostAt) return undefined;
  const losses = [...parseLosses(await readLosses(operation))];
  const lacking = losses.flatMap(([tag, { at }]) => (at > state.repairedAt ? [tag] : []));
  // Losses are not stored any more if the repair could not be made for a long time.
  return { ...state, lacking: new Set(lacking.length > 0 ? lacking : shardTags) };
}

/**
 * Stores that the sessions of these shards have their index entries again after the loss at `lostAt`. Returns the number of
 * shards that are done; -1 if shards have lost their data since.
 */
export async function noteRepair(operation: Operation, lostAt: number, tags: Iterable<string>): Promise<number> {
  const args = [lostAt, [...tags].join(""), shardTags.length];
  return Number(await operation.prepare(scripts.noteRepair, [operation.keys.state], args));
}

/**
 * Returns the first of these shards whose indexes may lack entries since a loss; `undefined` if they are complete. Call it
 * after reading the indexes. A marker that is there proves that a loss before was stored.
 */
export async function incompleteShard(operation: Operation, tags: readonly string[]): Promise<string | undefined> {
  const { keys } = operation;
  const markers = await Promise.all(tags.map((tag) => operation.command("exists", keys.marker(tag))));
  const [state, repair] = await Promise.all([
    operation.command("hmget", keys.state, "layout", "marked"),
    readDueRepair(operation),
  ]);
  const [layout, marked] = state as (string | null)[];
  // The state says whether a repair is due. While it is missing, every shard may be incomplete.
  return tags.find((tag, i) => layout === null || repair?.lacking.has(tag) || (marked === "1" && markers[i] === 0));
}
