import { type CurrentSession, resetError } from "./current-session.ts";
import type { Page } from "./page.ts";
import { isRetryable, type ProblemError } from "./problem-error.ts";
import type { RequestRecord } from "./protocol.ts";
import { randomKey, type SessionOperations } from "./session-operations.ts";

/**
 * Called when records could not be delivered. `lost` is the number of records that are given up; 0 if all are retried.
 */
export type OnError = (error: unknown, lost: number) => void;

interface QueuedRecord {
  readonly record: RequestRecord;
  /** Id of the session; `undefined` until the visitor has a session. */
  sessionId: string | undefined;
  readonly resetAt: number;
  readonly bytes: number;
}

interface Batch {
  readonly sessionId: string;
  readonly records: readonly RequestRecord[];
  readonly key: string;
  /** Position of the batch in the order of sending. */
  readonly number: number;
}

/** Number of waiting records that are sent at once. Fewer records are sent after `WAIT_MS`. */
const ENOUGH_RECORDS = 50;
const WAIT_MS = 1000;
/** Wait (ms) after a failure, and the maximum number of records and batches that are kept for the next attempt. */
const RETRY_WAIT_MS = 5000;
const MAX_KEPT_RECORDS = 1000;
const MAX_KEPT_BATCHES = 10;
/**
 * Maximum size of a batch in bytes. Such a batch has fewer than 1,000 records, and two batches fit into the 64 KiB that
 * requests may still send when a page ends (Fetch standard).
 */
const MAX_BATCH_BYTES = 30_000;

/**
 * Sends records to the service. A record waits in the queue until it becomes part of a batch, which has an
 * Idempotency-Key. It is then delivered, or given up because the service refused it for good, or kept in its batch for
 * another attempt with the same key. Batches are sent one after another, to keep the order; only when the page is
 * hidden, up to two are sent without waiting for earlier ones, because the page may end.
 */
export class Recorder {
  readonly #transport: SessionOperations;
  readonly #current: CurrentSession;
  readonly #page: Page | undefined;
  readonly #onError: OnError;
  #queue: QueuedRecord[] = [];
  /** Batches that will be sent again. */
  #kept: Batch[] = [];
  #batchCount = 0;
  #isFailing = false;
  #sending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    transport: SessionOperations,
    current: CurrentSession,
    page: Page | undefined,
    onError: OnError | undefined,
  ) {
    this.#transport = transport;
    this.#current = current;
    this.#page = page;
    this.#onError = onError ?? createWarning();
    page?.addEventListener("pagehide", this.#sendNow);
    page?.document.addEventListener("visibilitychange", this.#sendIfHidden);
  }

  /** Queues records for the current session. */
  record(records: RequestRecord | readonly RequestRecord[]): void {
    for (const given of [records].flat()) {
      const record = { startedAt: Date.now(), ...given };
      this.#queue.push({
        record,
        sessionId: this.#current.id(),
        resetAt: this.#current.resetAt(),
        bytes: bytesOf(record),
      });
    }
    if (this.#queue.length < ENOUGH_RECORDS || this.#sending || this.#isFailing) this.#flushLater(WAIT_MS);
    else this.#flushNow();
  }

  /** Sends all waiting records. Rejects with a `ProblemError` if some could not be delivered. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    do {
      this.#sending ??= this.#sendAll().finally(() => {
        this.#sending = undefined;
      });
      await this.#sending;
    } while (this.#waitingCount() > 0);
  }

  /** Sends all waiting records, and stops listening to the page's events. */
  async close(): Promise<void> {
    this.#page?.removeEventListener("pagehide", this.#sendNow);
    this.#page?.document.removeEventListener("visibilitychange", this.#sendIfHidden);
    await this.flush();
  }

  #flushLater(wait: number): void {
    this.#timer ??= setTimeout(() => this.#flushNow(), wait);
  }

  #flushNow(): void {
    this.flush().catch(this.#onFailure);
  }

  readonly #onFailure = (error: unknown): void => {
    this.#isFailing = true;
    const before = this.#waitingCount();
    this.#queue = this.#queue.slice(-MAX_KEPT_RECORDS);
    this.#kept = this.#kept.slice(-MAX_KEPT_BATCHES);
    this.#onError(error, before - this.#waitingCount());
    this.#flushLater(RETRY_WAIT_MS);
  };

  #waitingCount(): number {
    return this.#kept.reduce((sum, { records }) => sum + records.length, this.#queue.length);
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const batch = this.#kept.shift();
      const [first] = this.#queue;
      if (batch) await this.#deliver(batch);
      else if (!first) return;
      else if (first.sessionId) await this.#deliver(this.#takeBatch(first.sessionId));
      else {
        const { sessionId } = await this.#current.get();
        // The session may have been forgotten in the meantime.
        if (sessionId === this.#current.id()) this.#assign(sessionId);
      }
    }
  }

  /**
   * Assigns the records from before there was a session to the new session. Discards records of a visitor who was
   * forgotten before having a session.
   */
  #assign(sessionId: string): void {
    const resetAt = this.#current.resetAt();
    const kept = this.#queue.filter((queued) => queued.sessionId ?? queued.resetAt === resetAt);
    for (const queued of kept) queued.sessionId ??= sessionId;
    const lost = this.#queue.length - kept.length;
    this.#queue = kept;
    if (lost > 0) this.#onError(resetError(), lost);
  }

  /** Removes the first records of a session from the queue, at most `MAX_BATCH_BYTES`, and returns them as a batch. */
  #takeBatch(sessionId: string): Batch {
    let bytes = 0;
    const end = this.#queue.findIndex((queued, index) => {
      bytes += queued.bytes;
      return index > 0 && (queued.sessionId !== sessionId || bytes > MAX_BATCH_BYTES);
    });
    const taken = this.#queue.splice(0, end < 0 ? Infinity : end);
    const records = taken.map(({ record }) => record);
    return this.#batch(sessionId, records);
  }

  #batch(sessionId: string, records: readonly RequestRecord[]): Batch {
    return { sessionId, records, key: randomKey(), number: this.#batchCount++ };
  }

  async #deliver(batch: Batch): Promise<void> {
    const { sessionId, records, key } = batch;
    // A request with a larger body cannot continue after its page has ended.
    const keepalive = this.#page !== undefined && bytesOf(records) < 2 * MAX_BATCH_BYTES;
    try {
      await this.#transport.record(sessionId, records, { keepalive, idempotencyKey: key });
      this.#isFailing = false;
    } catch (error) {
      const rest = await this.#remainder(batch, error as ProblemError).catch((later: unknown) => {
        this.#kept = [...this.#kept, batch].toSorted((one, other) => one.number - other.number);
        throw later;
      });
      this.#onError(error, records.length - (rest?.records.length ?? 0));
      if (rest) await this.#deliver(rest);
    }
  }

  /**
   * Returns the batch to send instead of a refused one; `undefined` if there is none. Throws `error` if the same batch
   * may succeed later.
   */
  async #remainder(batch: Batch, error: ProblemError): Promise<Batch | undefined> {
    if (isRetryable(error)) throw error;
    const { sessionId, records } = batch;
    if (error.code === "session-not-found") {
      const next = await this.#current.successorOf(sessionId);
      if (!next) return undefined;
      for (const queued of this.#queue) if (queued.sessionId === sessionId) queued.sessionId = next;
      return this.#batch(next, records);
    }
    const faults = error.problem?.errors;
    const valid = records.filter((_, index) => !faults?.some(({ name }) => name.startsWith(`[${index}]`)));
    return valid.length > 0 && valid.length < records.length ? this.#batch(sessionId, valid) : undefined;
  }

  /**
   * Sends waiting records immediately, because the page may end at any moment: at most two batches at once (see
   * `MAX_BATCH_BYTES`), further records stay in the queue.
   */
  readonly #sendNow = (): void => {
    const current = this.#current.id();
    if (current) this.#assign(current);
    for (let room = this.#sending ? 1 : 2; room > 0; room--) {
      const sessionId = this.#queue[0]?.sessionId;
      if (!sessionId) return;
      this.#deliver(this.#takeBatch(sessionId)).catch(this.#onFailure);
    }
  };

  readonly #sendIfHidden = (): void => {
    if (this.#page?.document.visibilityState === "hidden") this.#sendNow();
  };
}

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/** Returns the default `onError`, which prints the first failure of each kind, except a reset that the page asked for. */
function createWarning(): OnError {
  const seen = new Set<unknown>(["reset"]);
  return (error) => {
    const { code, message } = error as ProblemError;
    if (!seen.has(code)) console.warn("antechamber: records are not delivered:", message);
    seen.add(code);
  };
}
