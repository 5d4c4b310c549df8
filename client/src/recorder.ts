import type { CurrentSession } from "./current-session.ts";
import type { Page } from "./page.ts";
import { isRetryable, ProblemError } from "./problem-error.ts";
import type { RequestRecord } from "./protocol.ts";
import { randomKey, type SessionOperations } from "./session-operations.ts";

/**
 * Called when records could not be delivered. `lost` is the number of records that are given up; 0 if all are retried.
 */
export type OnError = (error: unknown, lost: number) => void;

/** Records of one session, which are sent together. */
interface Batch {
  /** Position of the batch in the order of sending. */
  readonly number: number;
  /** Time of the last reset when the records were made. */
  readonly resetAt: number;
  /** Id of the session; empty until the visitor has a session. */
  sessionId: string;
  readonly records: RequestRecord[];
  bytes: number;
  /** The Idempotency-Key; `undefined` until the batch is sent. From then on, the batch gets no more records. */
  key?: string | undefined;
}

/** Sends records to the service. */
export interface Recorder {
  /** Queues records for the current session. */
  record(records: RequestRecord | readonly RequestRecord[]): void;
  /** Sends all waiting records. Rejects with a `ProblemError` if some could not be delivered. */
  flush(): Promise<void>;
}

/** Number of waiting records that are sent at once. Fewer records are sent after `WAIT_MS`. */
const ENOUGH_RECORDS = 50;
const WAIT_MS = 1000;
/** Wait (ms) after a failure, and the maximum number of records that are kept for the next attempt. */
const RETRY_WAIT_MS = 5000;
const MAX_KEPT_RECORDS = 1000;
/**
 * Maximum size of a batch in bytes. Such a batch has fewer than 1,000 records, and two batches fit into the 64 KiB that
 * requests may still send when a page ends (Fetch standard).
 */
const MAX_BATCH_BYTES = 30_000;

/**
 * Creates the recorder, which listens to the page's events until `closing` is aborted. A record joins the last batch of the
 * queue, or begins the next one. A batch is then delivered, or given up because the service refused it for good, or put
 * back for another attempt with the same Idempotency-Key. Batches are sent one after another, to keep the order; only
 * when the page is hidden, up to two are sent without waiting for earlier ones, because the page may end.
 */
export function createRecorder(
  transport: SessionOperations,
  current: CurrentSession,
  page: Page | undefined,
  closing: AbortSignal,
  onError: OnError = createWarning(),
): Recorder {
  let queue: Batch[] = [];
  let batchCount = 0;
  let isFailing = false;
  let sending: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const waitingCount = () => queue.reduce((sum, { records }) => sum + records.length, 0);

  function record(given: RequestRecord | readonly RequestRecord[]): void {
    const sessionId = current.id();
    const resetAt = current.resetAt();
    for (const each of [given].flat()) {
      const timed = { startedAt: Date.now(), ...each };
      const bytes = bytesOf(timed);
      let batch = queue.at(-1);
      const isOpen = batch && !batch.key && batch.sessionId === sessionId && batch.resetAt === resetAt;
      if (!batch || !isOpen || batch.bytes + bytes > MAX_BATCH_BYTES) {
        batch = { number: batchCount++, resetAt, sessionId, records: [], bytes: 0 };
        queue.push(batch);
      }
      batch.records.push(timed);
      batch.bytes += bytes;
    }
    if (waitingCount() >= ENOUGH_RECORDS && !sending && !isFailing) flushNow();
    else flushLater(WAIT_MS);
  }

  function flushLater(wait: number): void {
    timer ??= setTimeout(flushNow, wait);
  }

  function flushNow(): void {
    flush().catch(onFailure);
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    do {
      sending ??= sendAll().finally(() => {
        sending = undefined;
      });
      await sending;
    } while (queue.length > 0);
  }

  async function sendAll(): Promise<void> {
    while (queue[0]) {
      if (queue[0].sessionId) await deliver(queue[0]);
      else {
        const { sessionId } = await current.get();
        // The session may have been forgotten in the meantime.
        if (sessionId === current.id()) assign(sessionId);
      }
    }
  }

  /**
   * Assigns the records from before there was a session to the new session. Discards records of a visitor who was
   * forgotten before having a session.
   */
  function assign(sessionId: string): void {
    const resetAt = current.resetAt();
    const before = waitingCount();
    queue = queue.filter((batch) => batch.sessionId || batch.resetAt === resetAt);
    for (const batch of queue) batch.sessionId ||= sessionId;
    const lost = before - waitingCount();
    if (lost > 0) onError(new ProblemError({ code: "reset" }), lost);
  }

  /** Takes a batch from the queue and sends it. */
  async function deliver(batch: Batch): Promise<void> {
    queue = queue.filter((other) => other !== batch);
    const { sessionId, records, bytes } = batch;
    // A request with a larger body cannot continue after its page has ended.
    const keepalive = page !== undefined && bytes < 2 * MAX_BATCH_BYTES;
    batch.key ??= randomKey();
    try {
      await transport.record(sessionId, records, { keepalive, idempotencyKey: batch.key });
      isFailing = false;
    } catch (error) {
      const rest = await remainder(batch, error as ProblemError).catch((later: unknown) => {
        queue = [...queue, batch].toSorted((one, other) => one.number - other.number);
        throw later;
      });
      onError(error, records.length - (rest?.records.length ?? 0));
      if (rest) await deliver(rest);
    }
  }

  /**
   * Returns the batch to send instead of a refused one; `undefined` if there is none. Throws `error` if the same batch
   * may succeed later.
   */
  async function remainder(batch: Batch, error: ProblemError): Promise<Batch | undefined> {
    if (isRetryable(error)) throw error;
    const { sessionId, records } = batch;
    if (error.code === "session-not-found") {
      const next = await current.successorOf(sessionId);
      return next ? { ...batch, sessionId: next, key: undefined } : undefined;
    }
    const faults = error.problem?.errors;
    const valid = records.filter((_, index) => !faults?.some(({ name }) => name.startsWith(`[${index}]`)));
    const isSmaller = valid.length > 0 && valid.length < records.length;
    return isSmaller ? { ...batch, records: valid, key: undefined } : undefined;
  }

  function onFailure(error: unknown): void {
    isFailing = true;
    const before = waitingCount();
    while (waitingCount() > MAX_KEPT_RECORDS) queue.shift();
    onError(error, before - waitingCount());
    flushLater(RETRY_WAIT_MS);
  }

  /**
   * Sends waiting records immediately, because the page may end at any moment: at most two batches at once (see
   * `MAX_BATCH_BYTES`), further records stay in the queue.
   */
  function sendNow(): void {
    const sessionId = current.id();
    if (sessionId) assign(sessionId);
    const sendable = queue.filter((batch) => batch.sessionId).slice(0, sending ? 1 : 2);
    for (const batch of sendable) deliver(batch).catch(onFailure);
  }

  function sendIfHidden(): void {
    if (page?.document.visibilityState === "hidden") sendNow();
  }

  page?.addEventListener("pagehide", sendNow, { signal: closing });
  page?.document.addEventListener("visibilitychange", sendIfHidden, { signal: closing });

  return { record, flush };
}

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/** Returns the default `onError`, which prints the first failure of each kind, except a reset that the page asked for. */
function createWarning(): OnError {
  const seen: unknown[] = ["reset"];
  return (error) => {
    const { code, message } = error as ProblemError;
    if (seen.includes(code)) return;
    seen.push(code);
    console.warn("antechamber: records are not delivered:", message);
  };
}
