import type { Engine, Operation } from "../engine.ts";
import { DAY_MS } from "../index/index-entry.ts";
import { tagIn } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import type { NoteContents } from "../layout/note-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { type Erasure, entriesOf, erasureText, liveChangeOf } from "./event-entries.ts";

/**
 * Number of events from which further ones are appended by another command, which blocks Redis for some 3 us for each. If
 * many events wait, it is a fraction of them: a fixed number would limit the changes a second by the number of commands.
 */
const MIN_EVENTS = 64;
const FRACTION = 1 / 8;

/** An entry of a queue whose notes are decoded. */
export interface DecodedNote {
  /** Key name of the queue. */
  readonly queue: string;
  readonly id: string;
  readonly contents: readonly NoteContents[];
}

/**
 * Appends the events of notes to the log, in the order of the notes. Those of a note are appended once, also if
 * several processes try to. Of each queue, `notes` must begin with its oldest note and have no gap. Returns the id of the last
 * appended entry; `""` if none was appended.
 */
export async function appendEvents(engine: Engine, notes: readonly DecodedNote[]): Promise<string> {
  let last = "";
  let groups: (string | number)[] = [];
  let count = 0;
  const sorted = notes.map(groupOf).toSorted(byTime);
  const total = sorted.reduce((sum, { entries }) => sum + entries.length, 0);
  const limit = Math.max(MIN_EVENTS, total * FRACTION);
  for (const [i, { queue, id, live, entries }] of sorted.entries()) {
    if (entries.length > 0) groups.push(tagIn(queue), id, live, entries.join(";"));
    count += entries.length;
    if (count === 0 || (count < limit && i < sorted.length - 1)) continue;
    const operation = engine.begin();
    const { keys } = engine;
    const names = [keys.events, keys.eventState, keys.hiddenEvents];
    // Each command waits for the one before: if a later note were first, an earlier one would count as appended.
    const appended = await operation.prepare(scripts.appendEvents, names, [...argsOf(operation), ...groups]);
    if (appended !== "") last = String(appended);
    groups = [];
    count = 0;
  }
  return last;
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

/** The events of an entry of a queue. */
interface Group {
  readonly queue: string;
  readonly id: string;
  /** The numbers in the id: the time at which the entry was written, and its order in that time. */
  readonly time: number;
  readonly count: number;
  readonly live: number;
  readonly entries: readonly string[];
}

function groupOf({ queue, id, contents }: DecodedNote): Group {
  const end = id.indexOf("-");
  const live = contents.reduce((sum, one) => sum + liveChangeOf(one), 0);
  const [first] = contents;
  const entries = first !== undefined && contents.length === 1 ? entriesOf(first) : contents.flatMap(entriesOf);
  return { queue, id, time: Number(id.slice(0, end)), count: Number(id.slice(end + 1)), live, entries };
}

/** Compares by the time of writing, and entries of the same queue by their order in it. */
function byTime(one: Group, other: Group): number {
  return one.time - other.time || one.count - other.count;
}

/** Returns the first arguments of the scripts that append: the time, and the time for which the log is needed. */
function argsOf({ engine, now }: Operation): [now: number | "", life: number] {
  return [engine.isClockWrong ? "" : now, (engine.options.eventRetention ?? 0) + DAY_MS];
}
