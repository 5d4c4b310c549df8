import type { Engine, Operation } from "../engine.ts";
import { DAY_MS } from "../index/index-entry.ts";
import { newNonce } from "../layout/nonce.ts";
import type { NoteContents } from "../layout/note-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { type Erasure, entriesOf, erasureText, liveChangeOf } from "./event-entries.ts";

/** Maximum number of notes whose events are appended by one command: it blocks Redis for some 3 us for each. */
const MAX_NOTES = 64;

/** A note whose text is decoded. */
export interface DecodedNote {
  /** Key name of the queue. */
  readonly queue: string;
  readonly id: string;
  readonly contents: NoteContents;
}

/**
 * Appends the events of notes to the log, in the order of the notes. Those of a note are appended once, also if
 * several processes try to. Of each queue, `notes` must begin with its oldest note and have no gap. Returns whether any were appended.
 */
export async function appendEvents(engine: Engine, notes: readonly DecodedNote[]): Promise<boolean> {
  const groups = notes.toSorted(byTime).flatMap(({ queue, id, contents }) => {
    const entries = entriesOf(contents);
    return entries.length === 0 ? [] : [[tagIn(queue), id, liveChangeOf(contents), entries.join(";")] as const];
  });
  let isAppended = false;
  for (let from = 0; from < groups.length; from += MAX_NOTES) {
    const operation = engine.begin();
    const { keys } = engine;
    const names = [keys.events, keys.eventState, keys.hiddenEvents];
    const args = [...argsOf(operation), ...groups.slice(from, from + MAX_NOTES).flat()];
    // Each command waits for the one before: if a later note were first, an earlier one would count as appended.
    const appended = await operation.prepare(scripts.appendEvents, names, args);
    isAppended ||= appended !== 0;
  }
  return isAppended;
}

/** Appends the event that a customer was erased. */
export async function appendErasure(operation: Operation, erasure: Erasure): Promise<void> {
  const { keys } = operation;
  const args = [...argsOf(operation), newNonce(), erasureText(erasure)];
  await operation.change(scripts.appendErasure, [keys.events, keys.eventState], args);
}

/** Hides the events of sessions that are being erased. The upkeep of the log removes them later. */
export async function hideEvents(operation: Operation, handles: readonly string[]): Promise<void> {
  await operation.change(scripts.hideEvents, [operation.keys.hiddenEvents], [...handles]);
}

/** Compares notes by the time at which they were written, and those of the same queue by their order in it. */
function byTime(one: DecodedNote, other: DecodedNote): number {
  const [time = 0, count = 0] = one.id.split("-").map(Number);
  const [otherTime = 0, otherCount = 0] = other.id.split("-").map(Number);
  return time - otherTime || count - otherCount;
}

/** Returns the first arguments of the scripts that append: the time, and the time for which the log is needed. */
function argsOf({ engine, now }: Operation): [now: number | "", life: number] {
  return [engine.isClockWrong ? "" : now, (engine.options.eventRetention ?? 0) + DAY_MS];
}

/** Returns the tag in the key name of a queue. */
function tagIn(queue: string): string {
  return queue.slice(queue.indexOf("{") + 1, -1);
}
