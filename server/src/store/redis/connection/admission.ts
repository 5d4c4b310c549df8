import { Refusal } from "../../../session/errors.ts";
import type { StoreEvents } from "../../ports/lifecycle.ts";

/** Limits the changes in progress, and reports their results. */
export interface Admission {
  readonly pending: number;
  /** False from a failed write until a later heartbeat succeeds. */
  readonly isWritable: boolean;
  /** Runs a change; refuses it if too many are in progress, or after `close`. */
  admit<T>(change: () => Promise<T>): Promise<T>;
  /** Reports a failed write. */
  failed(error: unknown): void;
  /** Returns the number of failures so far, to be passed to `recovered`. */
  failures(): number;
  /** Reports a successful write that was sent after `failures` failures. */
  recovered(failures: number): void;
  /** Refuses new changes and waits for those in progress. */
  close(): Promise<void>;
}

/** Admits at most `maxPending` changes at a time. */
export function createAdmission(maxPending: number, events: StoreEvents): Admission {
  let pending = 0;
  /** Resolves when no changes are in progress. */
  let idle: PromiseWithResolvers<void> | undefined;
  let isClosed = false;
  let failures = 0;
  let recoveredAt = 0;
  /** Changes that completed in this turn of the event loop, and the duration of the longest in ms. */
  let completed = 0;
  let longest = 0;

  /** Reports all changes of one turn as one group, as they were sent in one write. */
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
      if (pending >= maxPending) refuse(`${pending} changes wait already`);
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
