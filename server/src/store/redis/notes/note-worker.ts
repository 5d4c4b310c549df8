import { Refusal } from "../../../session/errors.ts";
import { atTurnsEnd } from "../connection/command.ts";
import { refusal } from "../connection/connection.ts";
import { RedisFault } from "../connection/faults.ts";
import type { Engine, Operation } from "../engine.ts";
import { addDue, type Due, tagOfDue } from "../events/due-lists.ts";
import { newExpiryOf } from "../events/event-entries.ts";
import { appendEvents, type DecodedNote } from "../events/event-writer.ts";
import type { Lease } from "../globals/lease.ts";
import { EntryCollection } from "../index/index-entry.ts";
import { pruneIndexes, pruningPause } from "../index/index-pruning.ts";
import { addEntries } from "../index/index-writer.ts";
import { tagIn } from "../layout/key-names.ts";
import { decodeNote, type Note } from "../layout/note-codec.ts";
import { BatchPace } from "./batch-pace.ts";
import { FailingShards } from "./failing-shards.ts";
import { batchesOf, batchSize, countIn, readNotes, readOldNotes, removeNotes } from "./queued-notes.ts";

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
 * If a node of a cluster fails, or a slot that is being moved takes no changes, the notes that have entries there stay in their
 * queues for the sweep, and all others are worked off.
 *
 * If events are published, the notes of a queue are worked off from the oldest one on, also those of other processes. So the
 * events of a session are in the log in the order of its changes, and the id of the last note says which ones are there.
 */

/** Number of notes at which they do not wait any longer. */
const FULL = 4096;
/** Time (ms) between a failure and the next attempt. */
const RETRY_PAUSE = 1000;
/** Maximum number of entries that one command reads, because other clients wait for it. */
const MAX_NOTES_PER_COMMAND = 256;
/** Maximum time (ms) to remove notes after other steps of their batch have failed. */
const REMOVAL_TIMEOUT = 1000;
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
  /** The shards in which index entries and lists of due sessions cannot be written. */
  readonly #unwritable: FailingShards;
  /** The shards whose queues of notes cannot be used. A slot that is being moved is not among them. */
  readonly #unreachable: FailingShards;
  /** The last note of each queue up to which this process has worked it off, if events are published. */
  readonly #workedOff = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #latestWork = Promise.resolve(true);
  #sweepTimer: NodeJS.Timeout | undefined;
  #sweeping = Promise.resolve();
  /** The pass over all notes that is in progress, and the next one, which begins after it. */
  #settling: Promise<ReadonlySet<string>> | undefined;
  #next: Promise<ReadonlySet<string>> | undefined;
  /** Time on the clock of `performance.now()` from which the indexes are pruned again. */
  #pruneAt = 0;
  #isClosed = false;

  constructor(engine: Engine, lease: Lease) {
    this.#engine = engine;
    this.#lease = lease;
    this.#queues = engine.queues;
    this.#pace = new BatchPace(engine.publishes);
    this.#unwritable = new FailingShards(engine);
    this.#unreachable = new FailingShards(engine);
    engine.notes.added = (before) => this.#added(before);
    if (engine.options.purpose === "serve") this.#sweepLater();
  }

  /**
   * Works off every note that was written before this call, by any process. Calls of one turn of the event loop, or while
   * earlier calls are in progress, share one pass. Returns the tags of the shards in which that was not possible, whose
   * indexes are not complete.
   */
  settle(): Promise<ReadonlySet<string>> {
    this.#next ??= this.#settleNext();
    return this.#next;
  }

  async #settleNext(): Promise<ReadonlySet<string>> {
    await (this.#settling?.catch(() => undefined) ?? new Promise<void>(atTurnsEnd));
    this.#settling = this.#next;
    this.#next = undefined;
    try {
      return await this.#readAll(this.#engine.begin());
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
          const batch = notes.oldest(batchSize(left));
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
        const pages = await Promise.all(names.map((queue) => this.#readOn(operation, queue, count)));
        for (const batch of batchesOf(pages.flat())) {
          await this.#workOff(this.#engine.begin(), batch);
          for (const { queue, id } of batch) this.#workedOff.set(queue, id);
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

  /**
   * Reads the oldest notes of a queue that this process has not worked off yet: those that it has left to the sweep are not
   * read again. If the queue cannot be read, returns none, and leaves its notes to the sweep.
   */
  async #readOn(operation: Operation, queue: string, count: number): Promise<readonly Note[]> {
    const last = this.#workedOff.get(queue);
    const from = last === undefined ? "-" : `(${last}`;
    const read = (one: Operation) => readNotes(one, queue, from, count);
    return (await this.#unreachable.run(operation, tagIn(queue), read)) ?? [];
  }

  /**
   * Works off notes: first adds their index entries and events, then removes them. Returns the tags of the shards in which a
   * step has failed. The notes that need these steps stay in their queues. Rejects if the events cannot be appended.
   */
  async #workOff(operation: Operation, notes: readonly Note[]): Promise<ReadonlySet<string>> {
    const failed = new Set<string>();
    if (notes.length === 0) return failed;
    const decoded = notes.map(({ queue, id, texts }) => ({ queue, id, contents: texts.map(decodeNote) }));
    const { entries, due } = stepsOf(operation, decoded);
    const step = async (by: Operation, shards: FailingShards, tag: string, run: (one: Operation) => Promise<void>) => {
      if ((await shards.run(by, tag, (one) => run(one).then(() => true))) !== true) failed.add(tag);
    };
    await Promise.all([
      // Readers of events do not wait for the index entries.
      appendEvents(this.#engine, decoded).then((last) => last !== "" && this.appended(last)),
      ...Array.from(entries.all, (some) => step(operation, this.#unwritable, some.tag, (one) => addEntries(one, some))),
      ...Array.from(due, ([tag, some]) => step(operation, this.#unwritable, tag, (one) => addDue(one, some))),
    ]);
    const done = failed.size === 0 ? decoded : decoded.filter((note) => !needs(operation, note, failed));
    const byQueue = Map.groupBy(done, ({ queue }) => queue);
    // A failure has used up the time of the operation.
    const removal = failed.size === 0 ? operation : this.#engine.begin().within(REMOVAL_TIMEOUT);
    await Promise.all(
      Array.from(byQueue, ([queue, some]) =>
        step(removal, this.#unreachable, tagIn(queue), (one) => removeNotes(one, queue, some)),
      ),
    );
    this.#engine.notes.forget(notes);
    return failed;
  }

  /** Works off the notes of all queues. Returns the tags of the shards in which a step has failed. */
  async #readAll(operation: Operation): Promise<ReadonlySet<string>> {
    const failed = new Set<string>();
    await Promise.all(
      this.#queues.map(async (queue) => {
        for (let from = "-"; from !== ""; ) {
          const read = (one: Operation) => readNotes(one, queue, from, MAX_NOTES_PER_COMMAND);
          const notes = await this.#unreachable.run(operation, tagIn(queue), read);
          // Nobody knows of which sessions the queue has notes.
          if (notes === undefined)
            throw refusal(operation, new RedisFault("", "a node of the cluster has notes that cannot be read"));
          for (const batch of batchesOf(notes)) {
            for (const tag of await this.#workOff(operation, batch)) failed.add(tag);
          }
          from = notes.length < MAX_NOTES_PER_COMMAND ? "" : `(${notes.at(-1)?.id}`;
        }
      }),
    );
    return failed;
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

  /** Works off the oldest notes of a queue that were left behind. Returns whether there may be more to do now. */
  async #sweepQueue(operation: Operation, queue: string): Promise<boolean> {
    const read = (one: Operation) => readOldNotes(one, queue, SWEEP_AGE, MAX_NOTES_PER_COMMAND);
    const notes = await this.#unreachable.run(operation, tagIn(queue), read);
    if (notes === undefined) return false;
    let hasFailed = false;
    for (const batch of batchesOf(notes)) hasFailed = (await this.#workOff(operation, batch)).size > 0 || hasFailed;
    return !hasFailed && notes.length === MAX_NOTES_PER_COMMAND;
  }

  #report(error: unknown): void {
    // Refusals were reported where they occurred.
    if (!(error instanceof Refusal)) this.#engine.admission.failed(error);
  }
}

/** Returns the index entries that notes require, and by the tags of their shards the sessions that will be due. */
function stepsOf(operation: Operation, notes: readonly DecodedNote[]) {
  const entries = new EntryCollection();
  const due = new Map<string, Due[]>();
  for (const { contents } of notes) {
    for (const one of contents) {
      const { handle, isNew, hashes } = one;
      entries.add(handle, hashes, isNew);
      const at = newExpiryOf(one);
      if (at === undefined) continue;
      const tag = tagOfDue(operation, at);
      const others = due.get(tag);
      if (others === undefined) due.set(tag, [{ handle, at }]);
      else others.push({ handle, at });
    }
  }
  return { entries, due };
}

/** Returns whether a note requires a step in one of these shards. */
function needs(operation: Operation, note: DecodedNote, tags: ReadonlySet<string>): boolean {
  const { entries, due } = stepsOf(operation, [note]);
  return [...due.keys(), ...Array.from(entries.all, ({ tag }) => tag)].some((tag) => tags.has(tag));
}
