import { randomInt } from "node:crypto";
import { Refusal } from "../../../session/errors.ts";
import type { RequestRecord } from "../../../session/record.ts";
import { lineOf } from "../../record-line.ts";
import { type Argument, refusal } from "../connection/connection.ts";
import type { Engine, Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "../sessions/session-scripts.ts";

/*
 * Records wait in queues until they are stored. Each session has a queue of batches. One call of a script stores one
 * batch. The states of a batch:
 *
 *   queued --timer, or a caller waits--> sent --reply--> stored
 *                                        sent --no reply--> queued again; perhaps it was stored
 *   queued --its caller gives up--> removed
 *
 * During an outage, batches stay queued. The number of a batch is stored with its records, so the script recognizes a
 * batch that is sent twice.
 */

/** Maximum number of characters in all queues together. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Milliseconds for which a batch waits for more records. */
const BATCH_DELAY = 50;
/** Milliseconds between a failure and the next attempt. */
const RETRY_PAUSE = 250;
/** Number of records at which a batch is full. Batches are small, because a script blocks the Redis server. */
const MAX_BATCH = 256;
/** Number of characters at which a batch is full. */
const MAX_BATCH_CHARACTERS = 512 * 1024;
/** Upper bound (exclusive) of the random batch numbers. */
const MAX_BATCH_NUMBER = 2 ** 40;

interface Batch {
  readonly number: number;
  readonly lines: string[];
  characters: number;
  /** Time at which the last of its records was queued, Unix ms. */
  now: number;
  /** Whether no more records may be added, because the batch was sent before or a caller waits for it. */
  isClosed: boolean;
  /** Whether the batch may be stored already, although no reply has confirmed that. */
  mayBeStored: boolean;
  /** The operation that waits for this batch, if any. */
  readonly waiter: Operation | undefined;
  readonly stored: PromiseWithResolvers<void>;
}

interface Queue {
  readonly batches: Batch[];
  isSending: boolean;
}

/** Queues the records of all sessions, and stores the records of each session in order. */
export class RecordQueue {
  readonly #engine: Engine;
  readonly #queues = new Map<string, Queue>();
  #characters = 0;
  #records = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Queues records. Returns false and queues none of them if the queues are full or are being closed. */
  enqueue(handle: string, records: readonly RequestRecord[], now: number): boolean {
    if (this.#characters >= MAX_CHARACTERS || this.#isClosing) return false;
    const queue = this.#queueOf(handle);
    for (let from = 0; from < records.length; from += MAX_BATCH) {
      let batch = queue.batches.at(-1);
      if (batch === undefined || batch.isClosed || isFull(batch)) batch = addBatch(queue, now);
      this.#fill(batch, records.slice(from, from + MAX_BATCH), now);
    }
    this.#wake(BATCH_DELAY);
    return true;
  }

  /** Queues the storing of the record that is set aside for a session. Records that are queued later follow it. */
  enqueueSetAside(handle: string, now: number): void {
    const queue = this.#queueOf(handle);
    const batch = queue.batches.at(-1);
    // Any batch stores the record that is set aside, before its own records.
    if (batch === undefined || batch.isClosed) addBatch(queue, now);
    this.#wake(BATCH_DELAY);
  }

  /**
   * Stores records durably, after all queued records of the session. `number` is given if an earlier call may have
   * stored the same records already as the batch with this number.
   */
  async store(operation: Operation, handle: string, records: readonly RequestRecord[], number?: number): Promise<void> {
    const queue = this.#queueOf(handle);
    const batch = addBatch(queue, operation.now, operation, number);
    this.#fill(batch, records, operation.now);
    void this.#sendAll(handle, queue);
    await inTime(operation, batch.stored.promise, () => {
      const isSent = queue.batches[0] === batch && queue.isSending;
      if (isSent || !queue.batches.includes(batch)) return;
      this.#remove(queue, batch);
      if (queue.batches.length === 0) this.#queues.delete(handle);
    });
  }

  /** Stores all records that are queued for a session. Rejects if the deadline of the operation passes. */
  flush(operation: Operation, handle: string): Promise<void> | undefined {
    const queue = this.#queues.get(handle);
    const last = queue?.batches.at(-1);
    if (queue === undefined || last === undefined) return undefined;
    void this.#sendAll(handle, queue);
    return inTime(
      operation,
      last.stored.promise.catch(() => undefined),
      () => undefined,
    );
  }

  /** Stores all queued records of all sessions. */
  async flushAll(operation: Operation): Promise<void> {
    await Promise.all([...this.#queues.keys()].map(async (handle) => this.flush(operation, handle)));
  }

  /**
   * Drops the queued records of a session that is being erased. A batch that is being sent is not dropped here. Either
   * the erasure removes its records, or the script ignores the batch because of the session's tombstone.
   */
  discard(handle: string): void {
    const queue = this.#queues.get(handle);
    for (const batch of queue?.batches.slice(queue.isSending ? 1 : 0) ?? []) {
      this.#remove(queue as Queue, batch);
      batch.stored.resolve();
    }
  }

  /** Returns whether the batch with this number is stored. */
  async isStored(operation: Operation, handle: string, number: number): Promise<boolean> {
    // The script is called without records, so it only looks for the batch.
    const args = [...argsOf(operation, handle), number, 1];
    return (await operation.run(scripts.appendRecords, namesOf(operation, handle), args)) === 0;
  }

  /** Stores queued records until the timeout of one operation. Reports the records that are then left as lost. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const { deadline } = this.#engine.connection.begin(0);
    while (this.#queues.size > 0 && performance.now() < deadline) {
      await Promise.all([...this.#queues].map(([handle, queue]) => this.#sendAll(handle, queue)));
      const pause = this.#queues.size > 0 ? RETRY_PAUSE : 0;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    clearTimeout(this.#timer);
    if (this.#records > 0) this.#engine.options.events.recordsLost(this.#records);
  }

  #queueOf(handle: string): Queue {
    let queue = this.#queues.get(handle);
    if (queue === undefined) {
      queue = { batches: [], isSending: false };
      this.#queues.set(handle, queue);
    }
    return queue;
  }

  #fill(batch: Batch, records: readonly RequestRecord[], now: number): void {
    for (const record of records) {
      const line = lineOf(record);
      batch.lines.push(line);
      batch.characters += line.length;
      this.#characters += line.length;
    }
    this.#records += records.length;
    batch.now = Math.max(batch.now, now);
  }

  #remove(queue: Queue, batch: Batch): void {
    queue.batches.splice(queue.batches.indexOf(batch), 1);
    this.#characters -= batch.characters;
    this.#records -= batch.lines.length;
  }

  /**
   * Sends the batches of a session one after the other. If a batch fails for which no caller waits, stops and tries
   * again later. If a batch fails for which a caller waits, rejects that batch and continues.
   */
  async #sendAll(handle: string, queue: Queue): Promise<void> {
    if (queue.isSending) return;
    queue.isSending = true;
    for (let batch = queue.batches[0]; batch !== undefined; batch = queue.batches[0]) {
      batch.isClosed = true;
      try {
        await this.#send(handle, batch);
        this.#remove(queue, batch);
        batch.stored.resolve();
      } catch (error) {
        batch.mayBeStored ||= isUnknown(error);
        if (batch.waiter === undefined) {
          this.#wake(RETRY_PAUSE);
          break;
        }
        // The caller is informed of the failure, so this batch must not be stored later.
        this.#remove(queue, batch);
        batch.stored.reject(error);
      }
    }
    queue.isSending = false;
    if (queue.batches.length === 0) this.#queues.delete(handle);
  }

  async #send(handle: string, batch: Batch): Promise<void> {
    const { admission } = this.#engine;
    const operation = batch.waiter ?? this.#engine.begin(batch.now);
    const { number, mayBeStored, lines } = batch;
    const args = [...argsOf(operation, handle), number, mayBeStored ? 1 : 0, ...lines];
    const names = namesOf(operation, handle);
    const change = async () => {
      const reply = await operation.change(scripts.appendRecords, names, args);
      this.#engine.notes.take(operation.engine.queueOf(handle), reply);
    };
    await (batch.waiter === undefined ? admission.admit(change) : change());
  }

  /** Sends all batches after `pause` ms, unless a timer for that is already running. */
  #wake(pause: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const [handle, queue] of this.#queues) void this.#sendAll(handle, queue);
    }, pause);
  }
}

/** Returns the keys of `scripts/append-records.lua`. */
function namesOf(operation: Operation, handle: string): string[] {
  return [...sessionKeys(operation, handle), operation.keys.setAside(handle), operation.engine.queueOf(handle)];
}

/** Returns the arguments of `scripts/append-records.lua` that do not depend on the batch. */
function argsOf(operation: Operation, handle: string): Argument[] {
  return [...sessionArgs(operation, handle), operation.engine.options.maxRecords];
}

/** Adds a batch to a queue. `number` is given if a batch with this number may be stored already. */
function addBatch(queue: Queue, now: number, waiter?: Operation, number?: number): Batch {
  const stored = Promise.withResolvers<void>();
  stored.promise.catch(() => undefined);
  const batch: Batch = {
    number: number ?? randomInt(MAX_BATCH_NUMBER),
    lines: [],
    characters: 0,
    now,
    isClosed: waiter !== undefined,
    mayBeStored: number !== undefined,
    waiter,
    stored,
  };
  queue.batches.push(batch);
  return batch;
}

function isFull({ lines, characters }: Batch): boolean {
  return lines.length >= MAX_BATCH || characters >= MAX_BATCH_CHARACTERS;
}

/** Waits for `work`. If it is not done 100 ms after the deadline of the operation, calls `giveUp` and rejects. */
async function inTime(operation: Operation, work: Promise<void>, giveUp: () => void) {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => {
      giveUp();
      reject(refusal(operation, undefined));
    },
    Math.max(0, operation.deadline - performance.now()) + 100,
  );
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns whether the change may have been made in spite of the error. */
function isUnknown(error: unknown): boolean {
  const reason = error instanceof Refusal ? error.reason : undefined;
  return reason?.code === "unavailable" && reason.outcome === "unknown";
}
