import { Refusal } from "../../../session/errors.ts";
import { atTurnsEnd } from "../connection/command.ts";
import type { Engine, Operation } from "../engine.ts";
import { addDue, type Due } from "../events/due-lists.ts";
import { newExpiryOf } from "../events/event-entries.ts";
import { appendEvents } from "../events/event-writer.ts";
import type { Lease } from "../globals/lease.ts";
import { EntryCollection } from "../index/index-entry.ts";
import { pruneIndexes, pruningPause } from "../index/index-pruning.ts";
import { addEntries } from "../index/index-writer.ts";
import { decodeNote, type Note, textsIn } from "../layout/note-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { BatchPace } from "./batch-pace.ts";

/*
 * Works off notes: adds the index entries and appends the events, then removes the notes from their queues. Every step
 * may be repeated, also by several processes at a time. The states of a note:
 *
 *   pending --its process, some time later--> indexed --> removed
 *           --a reader, before it reads an index--> indexed --> removed
 *           --the sweep, if its process has died--> indexed --> removed
 *
 * A note is removed only when its entries are stored. So each session that was reported as stored has its entries or a
 * note, and a reader that works off all notes first finds it.
 *
 * One process at a time holds the lease of the sweep.
 *
 * If events are published, the notes of a queue are worked off from the oldest one on, also those of other processes. So the
 * events of a session are in the log in the order of its changes, and the id of the last note says which ones are there.
 */

/** Number of notes at which they do not wait any longer. */
const FULL = 4096;
/**
 * Number of notes from which further ones go to the next batch. If many notes wait, it is a fraction of them: a fixed
 * number would limit the changes per second by the time that the steps of a batch take.
 */
const MIN_BATCH = 1024;
const FRACTION = 1 / 2;
/** Time (ms) between a failure and the next attempt. */
const RETRY_PAUSE = 1000;
/** Maximum number of notes that are read by one command, and that are removed by one, which takes Redis 1 us for each. */
const MAX_NOTES_PER_COMMAND = 256;
const MAX_REMOVED = 128;
/** Number of entries that are read at a time from all queues together, and the least and greatest number from each. */
const MAX_READ = 4096;
const MIN_PAGE = 16;
const MAX_PAGE = 1024;
/** Maximum number of pages that are read from a queue at a time. */
const MAX_PAGES = 8;
/** Time (ms) between two sweeps. */
const SWEEP_PAUSE = 2000;
/** Age (ms) from which the sweep works off a note. Younger ones most likely have a process that does. */
const SWEEP_AGE = 3000;

/** Works off the notes of this process, of all processes on request, and those that were left behind. */
export class NoteWorker {
  readonly #engine: Engine;
  readonly #lease: Lease;
  /** Called after events were appended to the log. `last` is the id of the last entry. */
  appended: (last: string) => void = () => undefined;
  /** The queues that a reader must read. */
  readonly #queues: readonly string[];
  readonly #pace: BatchPace;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #latestWork = Promise.resolve(true);
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweeping = Promise.resolve();
  /** The pass over all notes that is in progress, and the next one, which begins after it. */
  #settling: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Time on the clock of `performance.now()` from which the indexes are pruned again. */
  #pruneAt = 0;
  #isClosed = false;

  constructor(engine: Engine, lease: Lease) {
    this.#engine = engine;
    this.#lease = lease;
    this.#queues = engine.queues;
    this.#pace = new BatchPace(engine.publishes);
    engine.notes.added = (before) => this.#added(before);
    if (engine.options.purpose === "serve") this.#sweepLater();
  }

  /**
   * Works off every note that was written before this call, by any process. Calls of one turn of the event loop, or while
   * earlier calls are in progress, share one pass.
   */
  settle(): Promise<void> {
    this.#next ??= this.#settleNext();
    return this.#next;
  }

  async #settleNext(): Promise<void> {
    await (this.#settling?.catch(() => undefined) ?? new Promise<void>(atTurnsEnd));
    this.#settling = this.#next;
    this.#next = undefined;
    try {
      await this.#readAll(this.#engine.begin());
    } finally {
      this.#settling = undefined;
    }
  }

  /** Works off the notes that this process has now. Fails silently, as they are worked off later then. */
  async settleOwn(): Promise<void> {
    if (this.#engine.notes.size > 0) await this.#work();
  }

  /** Works off the notes of this process, and stops. Notes that cannot be worked off in time are left to others. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#sweepTimer);
    clearTimeout(this.#timer);
    await this.#sweeping;
    await this.#latestWork;
    const { notes } = this.#engine;
    // Another batch only makes sense as long as batches make progress.
    for (let before = Number.POSITIVE_INFINITY; notes.size > 0 && notes.size < before; ) {
      before = notes.size;
      await this.#work();
    }
  }

  /** Starts a batch when it is full, or some time after its first note. */
  #added(before: number): void {
    if (this.#working !== undefined || this.#isClosed) return;
    if (before < FULL && this.#engine.notes.size >= FULL) this.#startIn(0);
    else if (this.#timer === undefined) this.#startIn(this.#pace.delay(performance.now()));
  }

  #startIn(pause: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#working = this.#workAgainLater();
    }, pause);
  }

  async #workAgainLater(): Promise<void> {
    const isDone = await this.#work();
    this.#working = undefined;
    const { size } = this.#engine.notes;
    if (size === 0 || this.#isClosed) return;
    const pause = size < FULL ? this.#pace.delay(performance.now()) : 0;
    this.#startIn(isDone ? pause : RETRY_PAUSE);
  }

  /** Works off the notes that this process has now, after calls in progress. Returns false after a failure. */
  #work(): Promise<boolean> {
    this.#latestWork = this.#latestWork.then(() => this.#workNow());
    return this.#latestWork;
  }

  async #workNow(): Promise<boolean> {
    const { notes, publishes } = this.#engine;
    try {
      if (publishes) await this.#workQueues();
      else
        for (let left = notes.size; left > 0; ) {
          const batch = notes.oldest(Math.max(MIN_BATCH, left * FRACTION));
          // `settle` has worked off the rest.
          if (batch.length === 0) break;
          await this.#workOff(this.#engine.begin(), batch);
          left -= countIn(batch);
        }
      return true;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  /**
   * Works off all notes of the queues in which this process has notes. Also ends if new notes arrive as fast as they are
   * worked off.
   */
  async #workQueues(): Promise<void> {
    const { notes } = this.#engine;
    let queues = new Set<string>();
    /** Number of notes of this process that are taken and not worked off yet. */
    let left = 0;
    let worked = 0;
    try {
      for (let page = 0; page < MAX_PAGES; page++) {
        const taken = notes.takeQueues();
        queues = queues.union(new Set(taken.queues));
        left += taken.count;
        if (queues.size === 0) break;
        const operation = this.#engine.begin();
        const count = Math.max(MIN_PAGE, Math.min(MAX_PAGE, Math.floor(MAX_READ / queues.size)));
        const names = [...queues];
        const pages = await Promise.all(names.map((queue) => readNotes(operation, queue, "-", count)));
        for (const batch of batchesOf(pages.flat())) {
          await this.#workOff(this.#engine.begin(), batch);
          const some = countIn(batch);
          worked += some;
          const done = Math.min(left, some);
          notes.workedOff(done);
          left -= done;
        }
        queues = new Set(names.filter((_, i) => pages[i]?.length === count));
        if (queues.size === 0) break;
      }
      // Others have worked off the rest.
      if (queues.size === 0) {
        notes.workedOff(left);
        left = 0;
      }
    } finally {
      notes.returnQueues(queues, left);
      this.#pace.ended(performance.now(), worked);
    }
  }

  /** Works off notes: first adds their index entries and events, then removes them. */
  async #workOff(operation: Operation, notes: readonly Note[]): Promise<void> {
    if (notes.length === 0) return;
    const entries = new EntryCollection();
    const due: Due[] = [];
    const decoded = notes.map(({ queue, id, texts }) => ({ queue, id, contents: texts.map(decodeNote) }));
    for (const one of decoded.flatMap(({ contents }) => contents)) {
      const { handle, isNew, hashes } = one;
      entries.add(handle, hashes, isNew);
      const at = newExpiryOf(one);
      if (at !== undefined) due.push({ handle, at });
    }
    await Promise.all([
      // Readers of events do not wait for the index entries.
      appendEvents(this.#engine, decoded).then((last) => last !== "" && this.appended(last)),
      addEntries(operation, entries),
      addDue(operation, due),
    ]);
    const byQueue = Map.groupBy(notes, ({ queue }) => queue);
    await Promise.all(Array.from(byQueue, ([queue, some]) => removeNotes(operation, queue, some)));
    this.#engine.notes.forget(notes);
  }

  async #readAll(operation: Operation): Promise<void> {
    await Promise.all(
      this.#queues.map(async (queue) => {
        for (let from = "-"; from !== ""; ) {
          const notes = await readNotes(operation, queue, from, MAX_NOTES_PER_COMMAND);
          for (const batch of batchesOf(notes)) await this.#workOff(operation, batch);
          from = notes.length < MAX_NOTES_PER_COMMAND ? "" : `(${notes.at(-1)?.id}`;
        }
      }),
    );
  }

  #sweepLater(): void {
    this.#sweepTimer = setTimeout(() => {
      this.#sweeping = this.#sweepAgainLater();
    }, SWEEP_PAUSE);
  }

  async #sweepAgainLater(): Promise<void> {
    try {
      await this.#sweep();
    } catch (error) {
      this.#report(error);
    }
    if (!this.#isClosed) this.#sweepLater();
  }

  /**
   * If this process has or gets the lease, works off the notes that were left behind in any queue, and prunes the
   * indexes from time to time.
   */
  async #sweep(): Promise<void> {
    // On one server the other queues have notes only if the data come from a cluster, so the first sweep looks there.
    const all = this.#pruneAt === 0 ? this.#engine.keys.allNotes : this.#queues;
    for (let queues = all; queues.length > 0 && !this.#isClosed; ) {
      const operation = this.#engine.begin();
      if ((await this.#lease.take(operation)) === 0) return;
      const isFull = await Promise.all(queues.map((queue) => this.#sweepQueue(operation, queue)));
      queues = queues.filter((_, i) => isFull[i]);
    }
    if (performance.now() < this.#pruneAt) return;
    await pruneIndexes(async () => {
      const operation = this.#engine.begin();
      const serverTime = await this.#lease.take(operation);
      return serverTime === 0 || this.#isClosed ? undefined : { operation, serverTime };
    });
    this.#pruneAt = performance.now() + pruningPause(this.#engine.policy);
  }

  /** Works off the oldest notes of a queue that were left behind. Returns whether there may be more. */
  async #sweepQueue(operation: Operation, queue: string): Promise<boolean> {
    const found = await operation.run(scripts.readNotes, [queue], [SWEEP_AGE, MAX_NOTES_PER_COMMAND]);
    const notes = notesIn(queue, found);
    for (const batch of batchesOf(notes)) await this.#workOff(operation, batch);
    return notes.length === MAX_NOTES_PER_COMMAND;
  }

  #report(error: unknown): void {
    // Refusals were reported where they occurred.
    if (!(error instanceof Refusal)) this.#engine.admission.failed(error);
  }
}

async function readNotes(operation: Operation, queue: string, from: string, count: number): Promise<Note[]> {
  return notesIn(queue, await operation.command("xrange", queue, from, "+", "COUNT", count));
}

async function removeNotes(operation: Operation, queue: string, notes: readonly Note[]): Promise<void> {
  for (let from = 0; from < notes.length; from += MAX_REMOVED) {
    const ids = notes.slice(from, from + MAX_REMOVED).map(({ id }) => id);
    // Redis executes commands that arrive together without serving other clients in between.
    await operation.command("xdel", queue, ...ids);
  }
}

function notesIn(queue: string, reply: unknown): Note[] {
  const entries = reply as [id: string, [field: string, text: string]][];
  return entries.map(([id, [, text]]) => ({ queue, id, texts: textsIn(text) }));
}

/** Divides entries of queues into batches that are worked off one after the other. */
function batchesOf(notes: readonly Note[]): Note[][] {
  const limit = Math.max(MIN_BATCH, countIn(notes) * FRACTION);
  const batches: Note[][] = [];
  let batch: Note[] = [];
  let count = 0;
  for (const note of notes) {
    if (count === 0 || count >= limit) {
      batch = [];
      batches.push(batch);
      count = 0;
    }
    batch.push(note);
    count += note.texts.length;
  }
  return batches;
}

function countIn(notes: readonly Note[]): number {
  return notes.reduce((count, { texts }) => count + texts.length, 0);
}
