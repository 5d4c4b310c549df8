import type { RetentionPolicy } from "../../../session/retention.ts";
import type { Operation } from "../engine.ts";
import { indexTags } from "../layout/shards.ts";
import { scripts } from "../scripts/scripts.ts";
import { dayOf } from "./index-entry.ts";
import { longestRetained } from "./index-writer.ts";
import { boundAt } from "./sort-order.ts";

/*
 * An index expires when its day is over and its last session is purged. Until then, its outdated entries are removed in
 * slices. Only one day can have both outdated entries and others; the index of the day before it may not have expired
 * yet if something was added to it late.
 */

/** Bounds (ms) of the time between two prunings. */
const SHORTEST_PAUSE = 30_000;
const LONGEST_PAUSE = 6 * 60 * 60 * 1000;

/** Returns the time (ms) between two prunings, a quarter of the time for which entries are needed. */
export function pruningPause(policy: RetentionPolicy): number {
  return Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, longestRetained(policy) / 4));
}

/** An operation, and the time on the clock of Redis (Unix ms). */
export interface Slice {
  readonly operation: Operation;
  readonly serverTime: number;
}

/**
 * Removes the entries of sessions that can no longer be retained, in slices. Stops when `begin`, which is called for the
 * operation of each slice, returns `undefined`.
 */
export async function pruneIndexes(begin: () => Promise<Slice | undefined>): Promise<void> {
  for (const tag of indexTags) {
    for (const daysBefore of [1, 0]) {
      for (let cursor: string | undefined = "0"; cursor !== undefined; ) {
        const slice = await begin();
        if (slice === undefined) return;
        cursor = await pruneSlice(slice, tag, daysBefore, cursor);
      }
    }
  }
}

/** Prunes a part of the indexes of a shard. Returns the cursor of the next part; `undefined` if this was the last one. */
async function pruneSlice({ operation, serverTime }: Slice, tag: string, daysBefore: number, cursor: string) {
  const { keys, engine, now } = operation;
  // If the clock of this process is ahead, that of Redis decides, so that no entry is removed early.
  const latest = Math.min(now, serverTime) - longestRetained(engine.policy);
  const day = dayOf(latest) - daysBefore;
  const bound = boundAt(latest);
  const [next, removed] = await Promise.all([
    operation.run(scripts.pruneIds, [keys.idIndex(tag, day)], [bound, cursor]),
    operation.run(scripts.pruneHandles, [keys.sessionIndex(tag, day)], [bound]),
  ]);
  return next === "0" && removed === 0 ? undefined : String(next);
}
