import { ProblemError } from "../problem-error.ts";
import type { RequestRecord } from "../protocol.ts";
import { randomKey, type Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

/**
 * Sends records in the background, a session's in their order, in batches of their own.
 *
 *     idle --- a record ---> waiting --- the interval is over ---> sending
 *      ^                        ^                                   |   |
 *      |                        +--- Antechamber is away: later ----+   |
 *      +------------------------- all is delivered ---------------------+
 *
 * A batch is repeated under its Idempotency-Key until it is answered, so that no record is there
 * twice. Refused records are let go, and so are those that come when too many wait already.
 */
export interface Recorder {
  add(sessionId: string, record: RequestRecord): void;
  /** Sends what waits, of one session or of all, and resolves when that was tried. Never rejects. */
  flush(sessionId?: string): Promise<void>;
  /** Sends what waits, for five seconds at most, and lets go of the rest. Never rejects. */
  close(): Promise<void>;
  /** Records that were let go since the start. */
  dropped(): number;
}

export interface RecorderOptions {
  readonly transport: Pick<Transport, "record">;
  /** Is told of each failure, and how many records were lost by it. */
  failed(error: unknown, lostRecords: number): void;
}

interface Batch {
  readonly idempotencyKey: string;
  readonly records: readonly RequestRecord[];
}

interface Queue {
  /** Were sent, or are to be, under their keys; what came of them is not known. */
  batches: Batch[];
  waiting: RequestRecord[];
  /** Resolves with whether everything was delivered. */
  sending: Promise<boolean> | null;
}

/** Milliseconds from the first record to its sending. */
const INTERVAL = 200;
/** Milliseconds until the next attempt when Antechamber is away. */
const RETRY = 1000;
/** Milliseconds. */
const CLOSE_TIMEOUT = 5000;
/** Small enough for any limit on the size of a request. */
const BATCH = 100;
const MAX_HELD = 10_000;
/** Connections at a time, and how many sessions it takes for one more: a burst would delay requests. */
const MAX_CONNECTIONS = 8;
const SESSIONS_A_CONNECTION = 64;

export function createRecorder({ transport, failed }: RecorderOptions): Recorder {
  const queues = new Map<string, Queue>();
  let held = 0;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isSweeping = false;
  let lastError: unknown = new ProblemError({ code: "unavailable" });

  function letGo(count: number, error: unknown): void {
    dropped += count;
    failed(error, count);
  }

  function add(sessionId: string, record: RequestRecord): void {
    if (held >= MAX_HELD) {
      letGo(1, lastError);
      return;
    }
    held += 1;
    const queue = queues.get(sessionId) ?? { batches: [], waiting: [], sending: null };
    queues.set(sessionId, queue);
    queue.waiting.push(record);
    if (!isSweeping) timer ??= setTimeout(() => void sweep(), INTERVAL);
  }

  async function sweep(): Promise<void> {
    timer = null;
    isSweeping = true;
    const isDelivered = await sendAll();
    isSweeping = false;
    if (queues.size === 0) return;
    timer = setTimeout(() => void sweep(), isDelivered ? INTERVAL : RETRY);
    // An outage must not keep a program from ending that has nothing else to do.
    if (!isDelivered) timer.unref?.();
  }

  /** A few sessions at a time; the first that cannot be delivered ends it for all. */
  async function sendAll(): Promise<boolean> {
    const sessionIds = [...queues.keys()].values();
    let isAway = false;
    const work = async () => {
      for (const sessionId of sessionIds) {
        if (isAway) return;
        if (!(await send(sessionId))) isAway = true;
      }
    };
    const connections = 1 + Math.floor(queues.size / SESSIONS_A_CONNECTION);
    await Promise.all(Array.from({ length: Math.min(MAX_CONNECTIONS, connections) }, work));
    return !isAway;
  }

  function send(sessionId: string): Promise<boolean> {
    const queue = queues.get(sessionId);
    if (queue === undefined) return Promise.resolve(true);
    queue.sending ??= deliver(sessionId, queue).finally(() => {
      queue.sending = null;
    });
    return queue.sending;
  }

  async function deliver(sessionId: string, queue: Queue): Promise<boolean> {
    for (;;) {
      if (queue.batches.length === 0) queue.batches = batchesOf(queue.waiting.splice(0, BATCH));
      const [batch] = queue.batches;
      if (batch === undefined) {
        queues.delete(sessionId);
        return true;
      }
      try {
        await transport.record(sessionId, batch.records, batch);
        if (queues.get(sessionId) !== queue) return true;
        held -= batch.records.length;
        queue.batches.shift();
      } catch (error) {
        // It was closed in the meantime: these are counted already.
        if (queues.get(sessionId) !== queue) return false;
        lastError = error;
        if (!isRefusal(error)) {
          failed(error, 0);
          return false;
        }
        refused(queue, batch, error);
      }
    }
  }

  /** One bad record refuses its whole batch: the others are sent again without it. */
  function refused(queue: Queue, batch: Batch, error: unknown): void {
    queue.batches.shift();
    const { records } = batch;
    if (isRecordsFault(error) && records.length > 1) {
      const middle = Math.ceil(records.length / 2);
      queue.batches.unshift(
        ...batchesOf(records.slice(0, middle)),
        ...batchesOf(records.slice(middle)),
      );
    } else {
      held -= records.length;
      letGo(records.length, error);
    }
  }

  async function flush(sessionId?: string): Promise<void> {
    await (sessionId === undefined ? sendAll() : send(sessionId));
  }

  return {
    add,
    flush,
    async close() {
      await withDeadline(CLOSE_TIMEOUT, flush()).catch((error: unknown) => {
        lastError = error;
      });
      if (timer !== null) clearTimeout(timer);
      timer = null;
      const lost = held;
      held = 0;
      queues.clear();
      if (lost > 0) letGo(lost, lastError);
    },
    dropped: () => dropped,
  };
}

function batchesOf(records: readonly RequestRecord[]): Batch[] {
  return records.length === 0 ? [] : [{ idempotencyKey: randomKey(), records }];
}

/** Whether the same request would be refused again. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return false;
  return error.status >= 400 && error.status < 500 && ![409, 429].includes(error.status);
}

/** Whether other records of the batch may be taken. */
function isRecordsFault(error: unknown): boolean {
  return error instanceof ProblemError && [400, 413].includes(error.status);
}
