import { randomInt } from "node:crypto";
import { Refusal } from "../../../session/errors.ts";
import type { RequestRecord } from "../../../session/record.ts";
import { noIdentity } from "../../../session/session.ts";
import { lineOf } from "../../record-line.ts";
import { type Argument, refusal } from "../connection/connection.ts";
import type { Engine, Operation } from "../engine.ts";
import { addToIndexes } from "../index/session-index.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "../sessions/session-scripts.ts";

/*
 * Records that wait to be stored: a queue of batches for each session. A batch is one call of a script:
 *
 *   open --timer, or a caller waits--> sent --reply--> stored
 *                                      sent --no reply--> open again, and perhaps stored
 *   open --its caller gives up before it is sent--> removed
 *
 * During an outage batches wait. Each has a number by which the script recognizes it.
 */

/** Maximum number of characters in the queues. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** Milliseconds for which a batch waits for more records. */
const BATCH_DELAY = 50;
/** Milliseconds from a failure to the next attempt. */
const RETRY_PAUSE = 250;
/** Limits of a batch, as a script blocks its server. */
const MAX_BATCH = 256;
const MAX_BATCH_CHARACTERS = 512 * 1024;
const MAX_BATCH_NUMBER = 2 ** 40;

interface Batch {
  readonly number: number;
  readonly lines: string[];
  characters: number;
  /** The latest time of its records, Unix ms. */
  now: number;
  /** It takes no more records: it was sent before, or a caller waits for it. */
  isClosed: boolean;
  mayBeStored: boolean;
  /** The caller that waits for this batch. */
  readonly waiter: Operation | undefined;
  readonly stored: PromiseWithResolvers<void>;
}

interface Queue {
  readonly batches: Batch[];
  isSending: boolean;
}

/** Accepts records and stores them in order. */
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

  /** Accepts records; returns false if too many wait already. */
  enqueue(id: string, records: readonly RequestRecord[], now: number): boolean {
    if (this.#characters >= MAX_CHARACTERS || this.#isClosing) return false;
    const queue = this.#queueOf(id);
    for (let from = 0; from < records.length; from += MAX_BATCH) {
      let batch = queue.batches.at(-1);
      if (batch === undefined || batch.isClosed || isFull(batch)) batch = addBatch(queue, now);
      this.#fill(batch, records.slice(from, from + MAX_BATCH), now);
    }
    this.#wake(BATCH_DELAY);
    return true;
  }

  /** Stores records after the accepted ones. `number` is that of a batch that may have been stored before. */
  async store(
    operation: Operation,
    id: string,
    records: readonly RequestRecord[],
    number?: number,
  ): Promise<void> {
    const queue = this.#queueOf(id);
    const batch = addBatch(queue, operation.now, operation, number);
    this.#fill(batch, records, operation.now);
    void this.#sendAll(id, queue);
    await inTime(operation, batch.stored.promise, () => {
      const isSent = queue.batches[0] === batch && queue.isSending;
      if (isSent || !queue.batches.includes(batch)) return;
      this.#remove(queue, batch);
      if (queue.batches.length === 0) this.#queues.delete(id);
    });
  }

  /** Stores the records accepted for a session so far; rejects if that takes too long. */
  flush(operation: Operation, id: string): Promise<void> | undefined {
    const queue = this.#queues.get(id);
    const last = queue?.batches.at(-1);
    if (queue === undefined || last === undefined) return undefined;
    void this.#sendAll(id, queue);
    return inTime(
      operation,
      last.stored.promise.catch(() => undefined),
      () => undefined,
    );
  }

  async flushAll(operation: Operation): Promise<void> {
    await Promise.all([...this.#queues.keys()].map(async (id) => this.flush(operation, id)));
  }

  /** Drops the waiting records of a session that is erased. Those already sent meet its tombstone. */
  discard(id: string): void {
    const queue = this.#queues.get(id);
    for (const batch of queue?.batches.slice(queue.isSending ? 1 : 0) ?? []) {
      this.#remove(queue as Queue, batch);
      batch.stored.resolve();
    }
  }

  /** Returns whether the batch with this number is stored. */
  async isStored(operation: Operation, id: string, number: number): Promise<boolean> {
    // Without records, the script only looks for the batch.
    const args = [...argsOf(operation, id), number, 1];
    return (await operation.run(scripts.appendRecords, sessionKeys(operation, id), args)) === 0;
  }

  /** Stores what can be stored before the timeout of an operation; the rest is lost. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const { deadline } = this.#engine.connection.begin(0);
    while (this.#queues.size > 0 && performance.now() < deadline) {
      await Promise.all([...this.#queues].map(([id, queue]) => this.#sendAll(id, queue)));
      const pause = this.#queues.size > 0 ? RETRY_PAUSE : 0;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    clearTimeout(this.#timer);
    if (this.#records > 0) this.#engine.options.events.recordsLost(this.#records);
  }

  #queueOf(id: string): Queue {
    let queue = this.#queues.get(id);
    if (queue === undefined) {
      queue = { batches: [], isSending: false };
      this.#queues.set(id, queue);
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

  /** Sends the batches of a session one after the other, until none is left or one without a waiter fails. */
  async #sendAll(id: string, queue: Queue): Promise<void> {
    if (queue.isSending) return;
    queue.isSending = true;
    for (let batch = queue.batches[0]; batch !== undefined; batch = queue.batches[0]) {
      batch.isClosed = true;
      try {
        await this.#send(id, batch);
        this.#remove(queue, batch);
        batch.stored.resolve();
      } catch (error) {
        batch.mayBeStored ||= isUnknown(error);
        if (batch.waiter === undefined) {
          this.#wake(RETRY_PAUSE);
          break;
        }
        // The caller learns of the failure, so the batch must not be stored later.
        this.#remove(queue, batch);
        batch.stored.reject(error);
      }
    }
    queue.isSending = false;
    if (queue.batches.length === 0) this.#queues.delete(id);
  }

  async #send(id: string, batch: Batch): Promise<void> {
    const { admission } = this.#engine;
    const operation = batch.waiter ?? this.#engine.begin(batch.now);
    const { number, mayBeStored, lines } = batch;
    const args = [...argsOf(operation, id), number, mayBeStored ? 1 : 0, ...lines];
    const names = sessionKeys(operation, id);
    const change = async () => {
      const reply = await operation.change(scripts.appendRecords, names, args);
      // The session has nothing but records, so nothing else has added it to the index.
      if (reply === 2) await addToIndexes(operation, id, noIdentity, true);
    };
    await (batch.waiter === undefined ? admission.admit(change) : change());
  }

  #wake(pause: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const [id, queue] of this.#queues) void this.#sendAll(id, queue);
    }, pause);
  }
}

/** Returns the arguments of `scripts/append-records.lua` that do not depend on the batch. */
function argsOf(operation: Operation, id: string): Argument[] {
  return [...sessionArgs(operation, id), operation.engine.options.maxRecords];
}

/** Adds a batch; a `number` is that of a batch that may be stored already. */
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

/** Waits for `work` until shortly after the deadline, then calls `giveUp` and rejects. */
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

function isUnknown(error: unknown): boolean {
  const reason = error instanceof Refusal ? error.reason : undefined;
  return reason?.code === "unavailable" && reason.outcome === "unknown";
}
