import { ProblemError } from "../problem-error.ts";
import type { RequestRecord } from "../protocol.ts";
import type { Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

export interface RecorderOptions {
  readonly transport: Pick<Transport, "record">;
  /** Called for each failure, with the number of records that were lost. */
  reportFailure(error: unknown, lostRecords: number): void;
}

interface WaitingRecord {
  readonly record: RequestRecord;
  /** Whether the session was created for this request. */
  readonly isFirst: boolean;
}

interface Batch {
  readonly idempotencyKey: string;
  readonly records: readonly RequestRecord[];
  /** Whether Antechamber stores the record only if the session is used again (contract.md#provisional-records). */
  readonly provisional: boolean;
}

interface Queue {
  /** Batches that are being sent, or that will be sent again with the same Idempotency-Key. */
  batches: Batch[];
  waiting: WaitingRecord[];
  /** The sending in progress, which resolves with whether Antechamber was available; `null` if there is none. */
  sending: Promise<boolean> | null;
}

/** How long (ms) the first waiting record waits before all waiting records are sent. */
const SEND_INTERVAL_MS = 200;
/** Time (ms) until the next attempt while Antechamber is unavailable. */
const RETRY_INTERVAL_MS = 1000;
const CLOSE_TIMEOUT_MS = 5000;
/** Maximum number of records in a batch. A batch of this size is below every limit on the size of a request. */
const MAX_BATCH_RECORDS = 100;
/** Maximum number of records that wait for delivery. */
const MAX_QUEUED_RECORDS = 10_000;
/** Maximum number of simultaneous requests, one for every `SESSIONS_PER_CONNECTION` sessions with waiting records. */
const MAX_CONNECTIONS = 32;
const SESSIONS_PER_CONNECTION = 64;

/**
 * Sends records in the background. The records of one session are sent in order, and a batch contains records of only
 * one session.
 *
 *     idle --- a record ---> waiting --- the interval has passed ---> sending
 *      ^                        ^                                      |   |
 *      |                        +--- Antechamber is unavailable -------+   |
 *      +------------------------- everything is delivered -----------------+
 *
 * A batch is sent with the same Idempotency-Key until there is a response, so that no record is stored twice. Refused
 * records are dropped. If too many records are waiting, new records are dropped.
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

  /** Queues a record. `isFirst`: whether the session was created for the recorded request. */
  add(sessionId: string, record: RequestRecord, isFirst: boolean): void {
    if (this.#queuedRecords >= MAX_QUEUED_RECORDS) {
      this.#drop(1, this.#lastError);
      return;
    }
    this.#queuedRecords += 1;
    const queue = this.#queues.get(sessionId) ?? { batches: [], waiting: [], sending: null };
    this.#queues.set(sessionId, queue);
    queue.waiting.push({ record, isFirst });
    if (!this.#isSending) this.#timer ??= setTimeout(() => void this.#sendPeriodically(), SEND_INTERVAL_MS);
  }

  /**
   * Sends the waiting records of one session, or of all. Resolves after the attempt, even a failed one; never rejects.
   */
  async flush(sessionId?: string): Promise<void> {
    // A request that has just finished adds its record in the next microtask.
    await Promise.resolve();
    await (sessionId === undefined ? this.#sendAll() : this.#send(sessionId));
  }

  /** Sends the waiting records. Drops those that are not delivered within five seconds. Never rejects. */
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

  /** Returns the number of records that were dropped since the start. */
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
    // During an outage, this timer must not keep the program running.
    if (!isDelivered) this.#timer.unref?.();
  }

  /** Sends the records of all sessions, several sessions at a time. Stops at the first failure. */
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

  /** Sends the waiting records of a session. Resolves with `false` if Antechamber was unavailable. */
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
      if (queue.batches.length === 0) queue.batches = takeBatch(queue.waiting);
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
        // The recorder was closed in the meantime, and `close` has counted these records as dropped.
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

  /**
   * Splits a refused batch into two halves, which are sent next. A single invalid record makes Antechamber refuse the
   * whole batch; repeated splitting drops only the invalid ones.
   */
  #splitRefusedBatch(queue: Queue, batch: Batch, error: unknown): void {
    queue.batches.shift();
    const { records } = batch;
    if (isRecordsFault(error) && records.length > 1) {
      const middle = Math.ceil(records.length / 2);
      queue.batches.unshift(...batchesOf(records.slice(0, middle)), ...batchesOf(records.slice(middle)));
    } else {
      this.#queuedRecords -= records.length;
      this.#drop(records.length, error);
    }
  }
}

/** Takes the next batch from the waiting records; none if there are no records. */
function takeBatch(waiting: WaitingRecord[]): Batch[] {
  const taken = waiting.splice(0, MAX_BATCH_RECORDS);
  // Several records prove that the visitor has come back, so only a first record without others is provisional.
  const isProvisional = taken.length === 1 && taken[0]?.isFirst === true;
  return batchesOf(
    taken.map(({ record }) => record),
    isProvisional,
  );
}

function batchesOf(records: readonly RequestRecord[], provisional = false): Batch[] {
  return records.length === 0 ? [] : [{ idempotencyKey: crypto.randomUUID(), records, provisional }];
}

/** Returns whether Antechamber would refuse the same request again. */
function isRefusal(error: unknown): boolean {
  // Any other error was thrown before the request was sent, because the records are not JSON.
  if (!(error instanceof ProblemError)) return true;
  return error.status >= 400 && error.status < 500 && ![409, 429].includes(error.status);
}

/**
 * Returns whether single records may have caused the refusal. Antechamber may then accept the batch's other records.
 */
function isRecordsFault(error: unknown): boolean {
  return !(error instanceof ProblemError) || [400, 413].includes(error.status);
}
