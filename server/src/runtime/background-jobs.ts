import type { LifecycleStore } from "../store/ports/lifecycle.ts";
import type { Clock } from "./clock.ts";

export interface BackgroundJobParts {
  readonly store: Pick<LifecycleStore, "purgeExpired" | "advanceClock">;
  readonly clock: Clock;
  /** Returns the time (Unix ms) up to which sessions are purged: earlier than `clock` if that clock may be wrong. */
  readonly purgeTime: () => number;
  readonly metrics: { readonly sessionsExpired: { inc(by: number): void } };
  /** Returns the number of requests answered so far. */
  readonly answered: () => number;
  readonly storeKeyUses: () => Promise<void>;
}

/**
 * Pause (ms) between two slices of the purge: `expiring` while expiries are to be published in time, `busy` while there is
 * more to purge, `idle` otherwise. Slices between which there are short pauses can be small.
 */
const PURGE_PAUSE_MS = { expiring: 2, busy: 10, idle: 250 };
/** Interval (ms) of storing the time. If the clock is set back, a restarted server continues from that time. */
const STORE_TIME_EVERY_MS = 1000;
/** Interval (ms) of storing the last uses of API keys. Storing each use would cost more than the request. */
const STORE_KEY_USES_EVERY_MS = 60_000;

/**
 * Starts the background jobs of a server: purging sessions, and storing the current time and the uses of API keys.
 * Close the jobs after the last request was answered and before the store is closed. Failures are ignored here, because
 * the store reports them and the next round tries again.
 */
export function startBackgroundJobs(parts: BackgroundJobParts): { close(): Promise<void> } {
  const { store, clock, purgeTime, metrics, answered, storeKeyUses } = parts;
  let isClosed = false;
  let answeredBefore = 0;
  let purgeTimer = purgeAfter(PURGE_PAUSE_MS.idle);
  const timeTimer = setInterval(() => void storeTime(), STORE_TIME_EVERY_MS);
  const usesTimer = setInterval(() => void attempt(storeKeyUses), STORE_KEY_USES_EVERY_MS);

  function purgeAfter(pause: number): NodeJS.Timeout {
    return setTimeout(() => void purge(), pause);
  }

  async function purge(): Promise<void> {
    let pause = PURGE_PAUSE_MS.idle;
    await attempt(async () => {
      const { expired, isExpiring, hasMore } = await store.purgeExpired(clock(), purgeTime());
      if (expired > 0) metrics.sessionsExpired.inc(expired);
      if (isExpiring) pause = PURGE_PAUSE_MS.expiring;
      else if (hasMore) pause = PURGE_PAUSE_MS.busy;
    });
    if (!isClosed) purgeTimer = purgeAfter(pause);
  }

  async function storeTime(): Promise<void> {
    // If the server has answered no request since it last stored the time, no client has seen a later time. Then
    // nothing is written, so that a disk can sleep.
    if (answered() === answeredBefore) return;
    answeredBefore = answered();
    await attempt(() => store.advanceClock(clock()));
  }

  return {
    async close() {
      isClosed = true;
      clearTimeout(purgeTimer);
      clearInterval(timeTimer);
      clearInterval(usesTimer);
      await attempt(storeKeyUses);
      await storeTime();
    },
  };
}

async function attempt(job: () => Promise<void>): Promise<void> {
  try {
    await job();
  } catch {
    // The store reports the failure.
  }
}
