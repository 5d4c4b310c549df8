import { type CurrentSession, overtaken } from "./current-session.ts";
import type { Page } from "./page.ts";
import { isPassing, type ProblemError } from "./problem-error.ts";
import type { RequestRecord } from "./protocol.ts";
import { randomKey, type Transport } from "./transport.ts";

/**
 * Records on their way to the service. A record waits in the queue, is cut into a batch with its
 * Idempotency-Key, and is delivered, given up (the service refused it for good), or kept with its
 * batch, key and all, for a later attempt. Batches go out one after the other, so the order holds;
 * only when the page is hidden the rest goes out at once, as there may be no later.
 */
export interface Recorder {
  /** Takes records for the session of this moment, to be sent soon. */
  record(records: RequestRecord | readonly RequestRecord[]): void;
  /** Delivers what waits. Rejects with a `ProblemError` when something could not be delivered. */
  flush(): Promise<void>;
  /** Flushes, and lets go of the page. */
  close(): Promise<void>;
}

/** Hears of records that were not delivered: `lost` of them for good, 0 when all are tried again. */
export type OnError = (error: unknown, lost: number) => void;

interface Queued {
  readonly record: RequestRecord;
  /** `undefined` before there is a session. */
  sessionId: string | undefined;
  readonly generation: number;
  readonly bytes: number;
}

interface Batch {
  readonly sessionId: string;
  readonly records: readonly RequestRecord[];
  readonly key: string;
  /** Its place among the batches. */
  readonly number: number;
}

/** Records that are worth a request, and the milliseconds that fewer of them wait. */
const ENOUGH = 50;
const WAIT = 1000;
/** Milliseconds until what could not be delivered is tried again, and what is kept for it at most. */
const WAIT_AFTER_FAILURE = 5000;
const KEPT_RECORDS = 1000;
const KEPT_BATCHES = 10;
/** Bytes of a batch, which are less than 1,000 records: two of them fit into the 64 KiB that may outlive a page (Fetch standard). */
const BATCH_BYTES = 30_000;

export function createRecorder(
  transport: Transport,
  current: CurrentSession,
  page: Page | undefined,
  onError: OnError,
): Recorder {
  let queue: Queued[] = [];
  let again: Batch[] = [];
  let batches = 0;
  let isFailing = false;
  let sending: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Assigns records made before there was a session to the new session; discards records of a visitor
   * who was forgotten before they had one.
   */
  function assign(sessionId: string): void {
    const generation = current.generation();
    const before = queue.length;
    queue = queue.filter((queued) => queued.sessionId ?? queued.generation === generation);
    for (const queued of queue) queued.sessionId ??= sessionId;
    if (queue.length < before) onError(overtaken(), before - queue.length);
  }

  /** The records at the head of the queue that belong to one session. */
  function cut(sessionId: string): Batch {
    let bytes = 0;
    const end = queue.findIndex((queued, index) => {
      bytes += queued.bytes;
      return index > 0 && (queued.sessionId !== sessionId || bytes > BATCH_BYTES);
    });
    const taken = queue.splice(0, end < 0 ? queue.length : end);
    return batchOf(
      sessionId,
      taken.map(({ record }) => record),
    );
  }

  function batchOf(sessionId: string, records: readonly RequestRecord[]): Batch {
    return { sessionId, records, key: randomKey(), number: batches++ };
  }

  async function deliver(batch: Batch): Promise<void> {
    const { sessionId, records, key } = batch;
    // Beyond what a page may leave behind, a request can only hope that the page stays.
    const keepalive = page !== undefined && bytesOf(records) < 2 * BATCH_BYTES;
    try {
      await transport.record(sessionId, records, { keepalive, idempotencyKey: key });
      isFailing = false;
    } catch (error) {
      const rest = await whatIsLeft(batch, error as ProblemError).catch((later: unknown) => {
        again = [...again, batch].toSorted((one, other) => one.number - other.number);
        throw later;
      });
      onError(error, records.length - (rest?.records.length ?? 0));
      if (rest) await deliver(rest);
    }
  }

  /** What is to be sent instead of a refused batch, if anything. Throws what may pass. */
  async function whatIsLeft(batch: Batch, error: ProblemError): Promise<Batch | undefined> {
    if (isPassing(error)) throw error;
    const { sessionId, records } = batch;
    if (error.code === "session-not-found") {
      const next = await current.successorOf(sessionId);
      if (!next) return undefined;
      for (const queued of queue) if (queued.sessionId === sessionId) queued.sessionId = next;
      return batchOf(next, records);
    }
    const faulty = error.problem?.errors?.map(({ name }) => /^\[(\d+)\]/.exec(name)?.[1]) ?? [];
    const sound = records.filter((_, at) => !faulty.includes(String(at)));
    return sound.length > 0 && sound.length < records.length
      ? batchOf(sessionId, sound)
      : undefined;
  }

  async function sendAll(): Promise<void> {
    for (;;) {
      const batch = again.shift();
      if (batch) await deliver(batch);
      else if (!queue[0]) return;
      else if (queue[0].sessionId) await deliver(cut(queue[0].sessionId));
      else {
        const { sessionId } = await current.get();
        // The session may have been forgotten again since.
        if (sessionId === current.id()) assign(sessionId);
      }
    }
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    do {
      sending ??= sendAll().finally(() => {
        sending = undefined;
      });
      await sending;
    } while (waiting() > 0);
  }

  function flushLater(wait: number): void {
    timer ??= setTimeout(() => void flush().catch(failed), wait);
  }

  function failed(error: unknown): void {
    isFailing = true;
    const before = waiting();
    queue = queue.slice(-KEPT_RECORDS);
    again = again.slice(-KEPT_BATCHES);
    onError(error, before - waiting());
    flushLater(WAIT_AFTER_FAILURE);
  }

  function waiting(): number {
    return again.reduce((sum, { records }) => sum + records.length, queue.length);
  }

  /** The page may be gone in a moment: what waits leaves now. */
  function leave(): void {
    const now = current.id();
    if (now) assign(now);
    for (let room = sending ? 1 : 2; room > 0; room--) {
      const sessionId = queue[0]?.sessionId;
      if (!sessionId) return;
      deliver(cut(sessionId)).catch(failed);
    }
  }
  const leaveIfHidden = () => {
    if (page?.document.visibilityState === "hidden") leave();
  };
  page?.addEventListener("pagehide", leave);
  page?.document.addEventListener("visibilitychange", leaveIfHidden);

  return {
    record(records) {
      for (const given of [records].flat()) {
        const record = { startedAt: Date.now(), ...given };
        const [sessionId, generation] = [current.id(), current.generation()];
        queue.push({ record, sessionId, generation, bytes: bytesOf(record) });
      }
      if (queue.length < ENOUGH || sending || isFailing) flushLater(WAIT);
      else flush().catch(failed);
    },
    flush,
    async close() {
      page?.removeEventListener("pagehide", leave);
      page?.document.removeEventListener("visibilitychange", leaveIfHidden);
      await flush();
    },
  };
}

function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}
