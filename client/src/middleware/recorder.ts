import { ProblemError } from "../problem-error.ts";
import type { RequestRecord } from "../protocol.ts";
import { randomKey, type Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

export interface RecorderOptions {
  readonly transport: Pick<Transport, "record">;
  /** Receives each failure, and the number of records lost by it. */
  reportFailure(error: unknown, lostRecords: number): void;
}

interface Batch {
  readonly idempotencyKey: string;
  readonly records: readonly RequestRecord[];
}

interface Queue {
  /** Batches that are being sent, or are to be sent again with the same key. */
  batches: Batch[];
  waiting: RequestRecord[];
  /** Resolves with whether everything was delivered; `null` if nothing is being sent. */
  sending: Promise<boolean> | null;
}

/** Milliseconds from the first record until the waiting records are sent. */
const SEND_INTERVAL_MS = 200;
/** Milliseconds until the next attempt if Antechamber is unavailable. */
const RETRY_INTERVAL_MS = 1000;
const CLOSE_TIMEOUT_MS = 5000;
/** The maximum number of records in a batch: small enough for any limit on the size of a request. */
const MAX_BATCH_RECORDS = 100;
/** The maximum number of records that wait for their delivery. */
const MAX_QUEUED_RECORDS = 10_000;
/** The number of connections rises slowly with the number of sessions: a burst would delay other requests. */
const MAX_CONNECTIONS = 8;
const SESSIONS_PER_CONNECTION = 64;

/**
 * Sends records in the background. Those of one session are sent in their order, in batches of their own.
 *
 *     idle --- a record ---> waiting --- the interval has passed ---> sending
 *      ^                        ^                                      |   |
 *      |                        +--- Antechamber is unavailable -------+   |
 *      +------------------------- everything is delivered -----------------+
 *
 * A batch is sent again with its Idempotency-Key until there is a response, so that no record is stored
 * twice. Refused records are dropped, and so are new ones if too many are waiting.
 */
export class Recorder {
  readonly #transport: Pick<Transport, "record">;
  readonly #reportFailure: RecorderOptions["reportFailure"];
  readonly #queues = new Map<string, Queue>();
  #queuedRecords = 0;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isSending = false;
  #lastError: unknown = new ProblemError({ code: "unavailable" });

  constructor({ transport, reportFailure }: RecorderOptions) {
    this.#transport = transport;
    this.#reportFailure = reportFailure;
  }

  add(sessionId: string, record: RequestRecord): void {
    if (this.#queuedRecords >= MAX_QUEUED_RECORDS) {
      this.#drop(1, this.#lastError);
      return;
    }
    this.#queuedRecords += 1;
    const queue = this.#queues.get(sessionId) ?? { batches: [], waiting: [], sending: null };
    this.#queues.set(sessionId, queue);
    queue.waiting.push(record);
    if (!this.#isSending)
      this.#timer ??= setTimeout(() => void this.#sendPeriodically(), SEND_INTERVAL_MS);
  }

  /** Sends the waiting records, of one session or of all. Resolves after the attempt, and never rejects. */
  async flush(sessionId?: string): Promise<void> {
    await (sessionId === undefined ? this.#sendAll() : this.#send(sessionId));
  }

  /** Sends the waiting records for five seconds at most, and drops the rest. Never rejects. */
  async close(): Promise<void> {
    await withDeadline(CLOSE_TIMEOUT_MS, this.flush()).catch((error: unknown) => {
      this.#lastError = error;
    });
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lost = this.#queuedRecords;
    this.#queuedRecords = 0;
    this.#queues.clear();
    if (lost > 0) this.#drop(lost, this.#lastError);
  }

  /** Returns the number of records dropped since the start. */
  dropped(): number {
    return this.#dropped;
  }

  #drop(count: number, error: unknown): void {
    this.#dropped += count;
    this.#reportFailure(error, count);
  }

  async #sendPeriodically(): Promise<void> {
    this.#timer = null;
    this.#isSending = true;
    const isDelivered = await this.#sendAll();
    this.#isSending = false;
    if (this.#queues.size === 0) return;
    const interval = isDelivered ? SEND_INTERVAL_MS : RETRY_INTERVAL_MS;
    this.#timer = setTimeout(() => void this.#sendPeriodically(), interval);
    // During an outage the timer must not keep a program running that has nothing else to do.
    if (!isDelivered) this.#timer.unref?.();
  }

  /** Sends the records of a few sessions at a time. The first session that fails stops all. */
  async #sendAll(): Promise<boolean> {
    const sessionIds = [...this.#queues.keys()].values();
    let hasFailed = false;
    const sendInTurn = async () => {
      for (const sessionId of sessionIds) {
        if (hasFailed) return;
        if (!(await this.#send(sessionId))) hasFailed = true;
      }
    };
    const connections = 1 + Math.floor(this.#queues.size / SESSIONS_PER_CONNECTION);
    const length = Math.min(MAX_CONNECTIONS, connections);
    await Promise.all(Array.from({ length }, sendInTurn));
    return !hasFailed;
  }

  /** Sends the records of a session. Resolves with whether Antechamber was available. */
  #send(sessionId: string): Promise<boolean> {
    const queue = this.#queues.get(sessionId);
    if (queue === undefined) return Promise.resolve(true);
    queue.sending ??= this.#deliver(sessionId, queue).finally(() => {
      queue.sending = null;
    });
    return queue.sending;
  }

  async #deliver(sessionId: string, queue: Queue): Promise<boolean> {
    for (;;) {
      if (queue.batches.length === 0)
        queue.batches = batchesOf(queue.waiting.splice(0, MAX_BATCH_RECORDS));
      const [batch] = queue.batches;
      if (batch === undefined) {
        this.#queues.delete(sessionId);
        return true;
      }
      try {
        await this.#transport.record(sessionId, batch.records, batch);
        if (this.#queues.get(sessionId) !== queue) return true;
        this.#queuedRecords -= batch.records.length;
        queue.batches.shift();
      } catch (error) {
        // The recorder was closed in the meantime, which has counted these records already.
        if (this.#queues.get(sessionId) !== queue) return false;
        this.#lastError = error;
        if (!isRefusal(error)) {
          this.#reportFailure(error, 0);
          return false;
        }
        this.#splitRefusedBatch(queue, batch, error);
      }
    }
  }

  /** Divides a refused batch until only the invalid records are dropped: one is enough for a refusal. */
  #splitRefusedBatch(queue: Queue, batch: Batch, error: unknown): void {
    queue.batches.shift();
    const { records } = batch;
    if (isRecordsFault(error) && records.length > 1) {
      const middle = Math.ceil(records.length / 2);
      queue.batches.unshift(
        ...batchesOf(records.slice(0, middle)),
        ...batchesOf(records.slice(middle)),
      );
    } else {
      this.#queuedRecords -= records.length;
      this.#drop(records.length, error);
    }
  }
}

function batchesOf(records: readonly RequestRecord[]): Batch[] {
  return records.length === 0 ? [] : [{ idempotencyKey: randomKey(), records }];
}

/** Returns whether the same request would be refused again. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return false;
  return error.status >= 400 && error.status < 500 && ![409, 429].includes(error.status);
}

/** Returns whether other records of the batch may be accepted. */
function isRecordsFault(error: unknown): boolean {
  return error instanceof ProblemError && [400, 413].includes(error.status);
}
