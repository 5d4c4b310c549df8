import type { Clock } from "./clock.ts";
import type { SessionStore } from "./store/store.ts";

/** What maintenance works on, and where it counts. */
export interface MaintenanceParts {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly metrics: { readonly sessionsExpired: { inc(by: number): void } };
}

/** Milliseconds between two slices of the sweep: while there is much to delete, and else. */
const SWEEP_PAUSE = { full: 10, other: 250 };
/** The store learns at least so often (ms) what time it is; a clock set back goes no further. */
const TOUCH_EVERY = 10_000;

/** What a server does by itself while it runs: sweeps, and tells the store the time. */
export function startMaintenance(parts: MaintenanceParts): { close(): void } {
  const { store, clock, metrics } = parts;
  let isClosed = false;
  let sweepTimer = sweepAfter(SWEEP_PAUSE.other);
  const touchTimer = setInterval(touch, TOUCH_EVERY);

  async function sweep(): Promise<void> {
    let pause = SWEEP_PAUSE.other;
    try {
      const { deleted, isFull } = await store.sweep(clock());
      if (deleted > 0) metrics.sessionsExpired.inc(deleted);
      if (isFull) pause = SWEEP_PAUSE.full;
    } catch {
      // The store reports its failures itself; the next slice tries again.
    }
    if (!isClosed) sweepTimer = sweepAfter(pause);
  }

  function sweepAfter(pause: number): NodeJS.Timeout {
    return setTimeout(() => void sweep(), pause);
  }

  function touch(): void {
    store.touch(clock()).catch(() => {
      // As above.
    });
  }

  return {
    close() {
      isClosed = true;
      clearTimeout(sweepTimer);
      clearInterval(touchTimer);
    },
  };
}
