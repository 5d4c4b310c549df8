import { Refusal } from "../../../session/errors.ts";
import type { StoreEvents } from "../../store.ts";

/** Counts the changes that are under way, and reports what becomes of them. */
export interface Changes {
  readonly pending: number;
  /** Whether the servers took everything since they were last seen to. */
  readonly isWritable: boolean;
  /** Runs a change that somebody waits for; refuses it when too many wait already, or after the end. */
  admit<T>(change: () => Promise<T>): Promise<T>;
  /** The servers do not take what they are told. */
  failed(error: unknown): void;
  /** They took something, which was sent when this returned `since`. */
  since(): number;
  recovered(since: number): void;
  /** Admits no more, and waits for what is under way. */
  close(): Promise<void>;
}

/** Admits at most `maxPending` changes at a time. */
export function createChanges(maxPending: number, events: StoreEvents): Changes {
  const underWay = new Set<Promise<unknown>>();
  let pending = 0;
  let isClosed = false;
  let failures = 0;
  let recoveredAt = 0;
  /** Those that were done in this turn, and the longest of them, ms. */
  let done = 0;
  let longest = 0;

  /** What was answered in one turn of the event loop was gathered in one, and so is told as one. */
  function report(started: number): void {
    longest = Math.max(longest, performance.now() - started);
    if (done++ > 0) return;
    queueMicrotask(() => {
      events.committed(done, longest);
      done = 0;
      longest = 0;
    });
  }

  function refuse(cause: string): never {
    throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error(cause));
  }

  async function count<T>(change: () => Promise<T>): Promise<T> {
    const started = performance.now();
    pending++;
    try {
      const result = await change();
      report(started);
      return result;
    } finally {
      pending--;
    }
  }

  function track<T>(promise: Promise<T>): Promise<T> {
    underWay.add(promise);
    const forget = () => underWay.delete(promise);
    promise.then(forget, forget);
    return promise;
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
      return track(count(change));
    },
    failed(error) {
      failures++;
      events.failed(error);
    },
    since: () => failures,
    recovered(since) {
      if (failures === since) recoveredAt = failures;
    },
    async close() {
      isClosed = true;
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
