import type { StoreEngine } from "../store/ports/engine.ts";
import type { Clock } from "./clock.ts";

/** What maintenance works on, and where it counts. */
export interface BackgroundJobParts {
  readonly store: StoreEngine;
  readonly clock: Clock;
  /** The time (Unix ms) by which sessions are swept if it is behind `clock`, which may have been ahead by mistake. */
  readonly purgeTime: () => number;
  readonly metrics: { readonly sessionsExpired: { inc(by: number): void } };
  /** Requests answered so far: whoever was told that a session is over was answered. */
  readonly answered: () => number;
  /** Has the store learn which keys were used. */
  readonly noteKeyUses: () => Promise<void>;
}

/** Milliseconds between two slices of the sweep: while there is much to delete, and else. */
const PURGE_PAUSE_MS = { full: 10, other: 250 };
/** How often (ms) the store learns what time it is: a clock that is set back goes back no further. */
const STORE_TIME_EVERY_MS = 1000;
/** How often (ms) the uses of keys are stored: a write for each request would cost more than it. */
const STORE_KEY_USE_EVERY_MS = 60_000;

/**
 * What a server does by itself while it runs: sweeps, and tells the store the time and which keys are
 * in use. Close it when the
 * last request has been answered, before the store.
 */
export function startBackgroundJobs(parts: BackgroundJobParts): { close(): Promise<void> } {
  const { store, clock, purgeTime, metrics, answered, noteKeyUses } = parts;
  let isClosed = false;
  let answeredBefore = 0;
  let purgeTimer = purgeAfter(PURGE_PAUSE_MS.other);
  const timeTimer = setInterval(() => void storeTime(), STORE_TIME_EVERY_MS);
  const usesTimer = setInterval(() => void noteUses(), STORE_KEY_USE_EVERY_MS);

  async function purge(): Promise<void> {
    let pause = PURGE_PAUSE_MS.other;
    try {
      const { expired, hasMore: isFull } = await store.purgeExpired(clock(), purgeTime());
      if (expired > 0) metrics.sessionsExpired.inc(expired);
      if (isFull) pause = PURGE_PAUSE_MS.full;
    } catch {
      // The store reports its failures itself; the next slice tries again.
    }
    if (!isClosed) purgeTimer = purgeAfter(pause);
  }

  function purgeAfter(pause: number): NodeJS.Timeout {
    return setTimeout(() => void purge(), pause);
  }

  async function storeTime(): Promise<void> {
    // Nobody has heard of the time in between: a disk that sleeps may go on sleeping.
    if (answered() === answeredBefore) return;
    answeredBefore = answered();
    try {
      await store.advanceClock(clock());
    } catch {
      // As above.
    }
  }

  async function noteUses(): Promise<void> {
    try {
      await noteKeyUses();
    } catch {
      // As above.
    }
  }

  return {
    async close() {
      isClosed = true;
      clearTimeout(purgeTimer);
      clearInterval(timeTimer);
      clearInterval(usesTimer);
      await noteUses();
      await storeTime();
    },
  };
}
