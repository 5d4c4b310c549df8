import type { Clock } from "./clock.ts";
import type { SessionStore } from "./store/store.ts";

/** What maintenance works on, and where it counts. */
export interface MaintenanceParts {
  readonly store: SessionStore;
  readonly clock: Clock;
  /** The time (Unix ms) by which sessions are swept if it is behind `clock`, which may have been ahead by mistake. */
  readonly sweepTime: () => number;
  readonly metrics: { readonly sessionsExpired: { inc(by: number): void } };
  /** Requests answered so far: whoever was told that a session is over was answered. */
  readonly answered: () => number;
  /** Has the store learn which keys were used. */
  readonly noteKeyUses: () => Promise<void>;
}

/** Milliseconds between two slices of the sweep: while there is much to delete, and else. */
const SWEEP_PAUSE = { full: 10, other: 250 };
/** How often (ms) the store learns what time it is: a clock that is set back goes back no further. */
const TOUCH_EVERY = 1000;
/** How often (ms) the uses of keys are stored: a write for each request would cost more than it. */
const NOTE_KEY_USES_EVERY = 60_000;

/**
 * What a server does by itself while it runs: sweeps, and tells the store the time and which keys are
 * in use. Close it when the
 * last request has been answered, before the store.
 */
export function startMaintenance(parts: MaintenanceParts): { close(): Promise<void> } {
  const { store, clock, sweepTime, metrics, answered, noteKeyUses } = parts;
  let isClosed = false;
  let answeredBefore = 0;
  let sweepTimer = sweepAfter(SWEEP_PAUSE.other);
  const touchTimer = setInterval(() => void touch(), TOUCH_EVERY);
  const usesTimer = setInterval(() => void noteUses(), NOTE_KEY_USES_EVERY);

  async function sweep(): Promise<void> {
    let pause = SWEEP_PAUSE.other;
    try {
      const { expired, isFull } = await store.sweep(clock(), sweepTime());
      if (expired > 0) metrics.sessionsExpired.inc(expired);
      if (isFull) pause = SWEEP_PAUSE.full;
    } catch {
      // The store reports its failures itself; the next slice tries again.
    }
    if (!isClosed) sweepTimer = sweepAfter(pause);
  }

  function sweepAfter(pause: number): NodeJS.Timeout {
    return setTimeout(() => void sweep(), pause);
  }

  async function touch(): Promise<void> {
    // Nobody has heard of the time in between: a disk that sleeps may go on sleeping.
    if (answered() === answeredBefore) return;
    answeredBefore = answered();
    try {
      await store.touch(clock());
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
      clearTimeout(sweepTimer);
      clearInterval(touchTimer);
      clearInterval(usesTimer);
      await noteUses();
      await touch();
    },
  };
}
