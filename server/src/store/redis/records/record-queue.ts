import { randomInt } from "node:crypto";
import { Refusal } from "../../../session/errors.ts";
import type { RequestRecord } from "../../../session/record.ts";
import { lineOf } from "../../record-line.ts";
import type { Connection, Operation, Word } from "../connection/connection.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * Records that were taken on, a queue of batches for each session. A batch is one call of a script:
 *
 *   open --its turn, or a waiter--> on its way --answer--> stored
 *                                   on its way --no answer--> open again, and "perhaps there" from now on
 *   open --its waiter gives up, and it was never sent--> dropped
 *
 * While the servers are away, batches stay; each has a number by which the script knows it again.
 */

/** Takes records on and stores them in their order. */
export interface Records {
  /** False when too much waits already. */
  accept(id: string, records: readonly RequestRecord[], now: number): boolean;
  /** Stores records after those that were accepted; `batch`: a number that they had before, perhaps. */
  store(
    operation: Operation,
    id: string,
    records: readonly RequestRecord[],
    batch?: number,
  ): Promise<void>;
  /** Stores what was accepted for the session up to now; refuses when that is not in time. */
  flush(operation: Operation, id: string): Promise<void> | undefined;
  /** `flush` of all sessions. */
  flushAll(operation: Operation): Promise<void>;
  /** Forgets what waits for the session. */
  forget(id: string): void;
  /** Whether the batch of that number is stored. */
  isStored(operation: Operation, id: string, batch: number): Promise<boolean>;
  /** Records that wait. */
  readonly waiting: number;
  /** Stores what waits, as far as that is possible now; what is left is lost. */
  close(): Promise<void>;
}

export interface RecordsOptions {
  readonly connection: Connection;
  readonly maxRecords: number;
  readonly keysOf: (id: string) => string[];
  readonly factsOf: (operation: Operation, id: string) => Word[];
  /** Enters a session of which there are only records among all. */
  readonly enter: (operation: Operation, id: string) => Promise<void>;
  /** Runs a change and counts it. */
  readonly admit: <T>(change: () => Promise<T>) => Promise<T>;
  readonly lost: (records: number) => void;
}

/** How many characters may wait. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** How long (ms) accepted records wait for more. */
const GATHERING = 50;
/** How long (ms) after a failure the next attempt is made. */
const RETRY_PAUSE = 250;
/** What one call takes at the most: it holds up everything else on that server. */
const MAX_BATCH = 256;
const MAX_BATCH_CHARACTERS = 512 * 1024;
const MAX_BATCH_NUMBER = 2 ** 40;

interface Batch {
  readonly number: number;
  readonly lines: string[];
  characters: number;
  /** The latest time of its records, ms since 1970. */
  now: number;
  /** It is taken as it is: sent before, or somebody waits for it. */
  isClosed: boolean;
  mayBeThere: boolean;
  /** Whoever waits for it alone. */
  readonly waiter: Operation | undefined;
  readonly stored: PromiseWithResolvers<void>;
}

interface Queue {
  readonly batches: Batch[];
  isRunning: boolean;
}

/** Empty queues. */
export function createRecords(options: RecordsOptions): Records {
  const { connection, maxRecords, keysOf, factsOf, admit, lost } = options;
  const queues = new Map<string, Queue>();
  let characters = 0;
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  let isClosing = false;

  function queueOf(id: string): Queue {
    let queue = queues.get(id);
    if (queue === undefined) {
      queue = { batches: [], isRunning: false };
      queues.set(id, queue);
    }
    return queue;
  }

  function push(queue: Queue, number: number, now: number, waiter?: Operation): Batch {
    const stored = Promise.withResolvers<void>();
    stored.promise.catch(() => undefined);
    const batch: Batch = {
      number,
      lines: [],
      characters: 0,
      now,
      isClosed: waiter !== undefined,
      mayBeThere: false,
      waiter,
      stored,
    };
    queue.batches.push(batch);
    return batch;
  }

  function fill(batch: Batch, records: readonly RequestRecord[], now: number): void {
    for (const record of records) {
      const line = lineOf(record);
      batch.lines.push(line);
      batch.characters += line.length;
      characters += line.length;
    }
    waiting += records.length;
    batch.now = Math.max(batch.now, now);
  }

  function isFull({ lines, characters: length }: Batch): boolean {
    return lines.length >= MAX_BATCH || length >= MAX_BATCH_CHARACTERS;
  }

  function remove(queue: Queue, batch: Batch): void {
    queue.batches.splice(queue.batches.indexOf(batch), 1);
    characters -= batch.characters;
    waiting -= batch.lines.length;
  }

  /** Stores the batches of a session, one after the other, until one fails or none is left. */
  async function run(id: string, queue: Queue): Promise<void> {
    if (queue.isRunning) return;
    queue.isRunning = true;
    for (let batch = queue.batches[0]; batch !== undefined; batch = queue.batches[0]) {
      batch.isClosed = true;
      try {
        await send(id, batch);
        remove(queue, batch);
        batch.stored.resolve();
      } catch (error) {
        const isUnknown = error instanceof Refusal && isUncertain(error);
        batch.mayBeThere ||= isUnknown;
        if (batch.waiter !== undefined) {
          // Whoever waited is told; a write that may be late is not made again.
          remove(queue, batch);
          batch.stored.reject(error);
          continue;
        }
        wake(RETRY_PAUSE);
        break;
      }
    }
    queue.isRunning = false;
    if (queue.batches.length === 0) queues.delete(id);
  }

  async function send(id: string, batch: Batch): Promise<void> {
    const operation = batch.waiter ?? connection.begin(batch.now);
    const facts = factsOf({ ...operation, now: batch.now }, id);
    const words = [...facts, maxRecords, batch.number, batch.mayBeThere ? 1 : 0, ...batch.lines];
    const change = async () => {
      const reply = await connection.change(operation, scripts.appendRecords, keysOf(id), words);
      // Nothing else tells that there is something of the session.
      if (reply === 2) await options.enter(operation, id);
    };
    await (batch.waiter === undefined ? admit(change) : change());
  }

  function wake(after: number): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const [id, queue] of queues) void run(id, queue);
    }, after);
  }

  function flush(operation: Operation, id: string): Promise<void> | undefined {
    const queue = queues.get(id);
    const last = queue?.batches.at(-1);
    if (queue === undefined || last === undefined) return undefined;
    void run(id, queue);
    return inTime(
      operation,
      last.stored.promise.catch(() => undefined),
      () => undefined,
    );
  }

  return {
    get waiting() {
      return waiting;
    },
    accept(id, records, now) {
      if (characters >= MAX_CHARACTERS || isClosing) return false;
      const queue = queueOf(id);
      for (let from = 0; from < records.length; from += MAX_BATCH) {
        let batch = queue.batches.at(-1);
        if (batch === undefined || batch.isClosed || isFull(batch)) {
          batch = push(queue, randomInt(MAX_BATCH_NUMBER), now);
        }
        fill(batch, records.slice(from, from + MAX_BATCH), now);
      }
      wake(GATHERING);
      return true;
    },
    async store(operation, id, records, number) {
      const queue = queueOf(id);
      const batch = push(queue, number ?? randomInt(MAX_BATCH_NUMBER), operation.now, operation);
      batch.mayBeThere = number !== undefined;
      fill(batch, records, operation.now);
      void run(id, queue);
      await inTime(operation, batch.stored.promise, () => {
        const isOnItsWay = queue.batches[0] === batch && queue.isRunning;
        if (isOnItsWay || !queue.batches.includes(batch)) return;
        remove(queue, batch);
        if (queue.batches.length === 0) queues.delete(id);
      });
    },
    flush,
    async flushAll(operation) {
      await Promise.all([...queues.keys()].map(async (id) => flush(operation, id)));
    },
    forget(id) {
      const queue = queues.get(id);
      // What is on its way comes to a session that is gone.
      for (const batch of queue?.batches.slice(queue.isRunning ? 1 : 0) ?? []) {
        remove(queue as Queue, batch);
        batch.stored.resolve();
      }
    },
    async isStored(operation, id, number) {
      // Without records, the script only looks whether the batch is there.
      const words = [...factsOf(operation, id), maxRecords, number, 1];
      return (await connection.run(operation, scripts.appendRecords, keysOf(id), words)) === 0;
    },
    async close() {
      isClosing = true;
      const patience = connection.begin(0).until;
      while (queues.size > 0 && performance.now() < patience) {
        await Promise.all([...queues].map(([id, queue]) => run(id, queue)));
        await new Promise((resolve) => setTimeout(resolve, queues.size > 0 ? RETRY_PAUSE : 0));
      }
      clearTimeout(timer);
      if (waiting > 0) lost(waiting);
    },
  };
}

/** Waits for `work` as long as the operation lasts; then `giveUp` is called, and it is refused. */
async function inTime(
  operation: Operation,
  work: Promise<void>,
  giveUp: () => void,
): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => {
      giveUp();
      const unknown = operation.isUncertain ? { outcome: "unknown" as const } : {};
      reject(new Refusal({ code: "unavailable", retryAfterSeconds: 1, ...unknown }));
    },
    Math.max(0, operation.until - performance.now()) + 100,
  );
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function isUncertain({ reason }: Refusal): boolean {
  return reason.code === "unavailable" && reason.outcome === "unknown";
}
