import { SLOT_MS } from "../../expiry-pace.ts";
import type { Operation } from "../engine.ts";
import { DAY_MS, sessionTags } from "../index/index-entry.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * The lists of due sessions: for each slot of time, the handles of the sessions that may expire in it. A handle is added
 * when something is first stored of its session, and when the session is to expire earlier than before. A renewal does
 * not change the lists: if a session still lives when it is due, its handle is added to the list of its later expiry. A
 * superfluous handle does no harm.
 */

/** Maximum number of handles in one command. */
const MAX_HANDLES = 512;

/** A session, and the time (Unix ms) at which it may expire. */
export interface Due {
  readonly handle: string;
  readonly at: number;
}

/** Returns the slot in which a session may expire at this time (Unix ms). Its number counts the slots to its end. */
function slotOf(time: number): number {
  return Math.ceil(time / SLOT_MS);
}

/** Returns the last slot that has ended at `now` (Unix ms). */
export function lastEnded(now: number): number {
  return Math.floor(now / SLOT_MS);
}

/** Returns the key name of the list of a slot. The lists of successive slots are in different shards. */
export function listOf({ keys }: Operation, slot: number): string {
  return keys.due(tagOfSlot(slot), slot);
}

/** Returns the tag of the shard that has the list of a slot. */
export function tagOfSlot(slot: number): string {
  return sessionTags[slot % sessionTags.length] as string;
}

/** Returns the tag of the shard that has the list of a session which may expire at this time (Unix ms). */
export function tagOfDue({ now }: Operation, at: number): string {
  return tagOfSlot(listedSlot(now, at));
}

/** Returns the slot to whose list a session is added at `now`. Earlier lists are not looked at again. */
function listedSlot(now: number, at: number): number {
  return Math.max(lastEnded(now), slotOf(at));
}

/** Adds handles to the lists of the times (Unix ms) at which their sessions may expire, many in one command. */
export async function addDue(operation: Operation, due: readonly Due[]): Promise<void> {
  const { now, engine } = operation;
  const latest = lastEnded(now);
  const bySlot = Map.groupBy(due, ({ at }) => listedSlot(now, at));
  const sent: Promise<unknown>[] = [];
  for (const [slot, some] of bySlot) {
    // An expiry that is found after the retention is not published.
    const life = (slot - latest) * SLOT_MS + engine.options.retention + DAY_MS;
    for (let from = 0; from < some.length; from += MAX_HANDLES) {
      const handles = some.slice(from, from + MAX_HANDLES).map(({ handle }) => handle);
      sent.push(operation.prepare(scripts.addDue, [listOf(operation, slot)], [life, handles.join("")]));
    }
  }
  await Promise.all(sent);
}
