import { Refusal } from "../../../session/errors.ts";
import type { StoreEvents } from "../../ports/lifecycle.ts";

/** Limits the number of changes in progress, and reports their results to `StoreEvents`. */
export interface Admission {
  /** Number of changes in progress. */
  readonly pending: number;
  /** Whether writes are expected to succeed: false after a failed write, until a later heartbeat succeeds. */
  readonly isWritable: boolean;
  /** Runs a change. Refuses it if too many changes are in progress, or if `close` was called. */
  admit<T>(change: () => Promise<T>): Promise<T>;
  /** Reports a failed write. */
  failed(error: unknown): void;
  /** Returns the number of failed writes so far. Read it before a heartbeat, and pass it to `recovered` afterwards. */
  failures(): number;
  /** Reports a successful write. `failures` is the number of failed writes when the successful one was sent. */
  recovered(failures: number): void;
  /** Refuses new changes, and waits for the changes in progress. */
  close(): Promise<void>;
}

/** Admits at most `maxPending` changes at a time. */
export function createAdmission(maxPending: number, events: StoreEvents): Admission {
  let pending = 0;
  /** Promise for `close`: it is fulfilled when no change is in progress. */
  let idle: PromiseWithResolvers<void> | undefined;
  let isClosed = false;
  let failures = 0;
  /** Value of `failures` at the last successful heartbeat. */
  let recoveredAt = 0;
  /** Number of changes that were completed in this turn of the event loop. */
  let completed = 0;
  /** Duration (ms) of the longest change that was completed in this turn. */
  let longest = 0;

  /** Reports all changes of this turn as one group of changes, because their commands were sent in one write. */
  function report(started: number): void {
    longest = Math.max(longest, performance.now() - started);
    if (completed++ > 0) return;
    queueMicrotask(() => {
      events.committed(completed, longest);
      completed = 0;
      longest = 0;
    });
  }

  return {
    get pending() {
      return pending;
    },
    get isWritable() {
      return failures === recoveredAt;
    },
    async admit(change) {
      if (isClosed) refuse("the store is closed");
      if (pending >= maxPending) refuse("as many changes wait as maxPendingWrites allows");
      const started = performance.now();
      pending++;
      try {
        const result = await change();
        report(started);
        return result;
      } finally {
        if (--pending === 0) idle?.resolve();
      }
    },
    failed(error) {
      failures++;
      events.failed(error);
    },
    failures: () => failures,
    recovered(since) {
      if (failures === since) recoveredAt = failures;
    },
    async close() {
      isClosed = true;
      if (pending === 0) return;
      idle = Promise.withResolvers<void>();
      await idle.promise;
    },
  };
}

function refuse(cause: string): never {
  throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error(cause));
}
