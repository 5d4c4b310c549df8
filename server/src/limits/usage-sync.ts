import type { Rate } from "./rate.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import {
  createSharedRateLimiter,
  type SharedCounters,
  type SharedRateLimiter,
} from "./shared-rate-limiter.ts";

/** Meters that several processes have in common. */
export interface UsageSync {
  /** A meter of this name: processes that give one the same name have it in common. */
  meterOf(name: string, rate: Rate): RateLimiter;
  /** Exchanges no more; the meters go on by themselves. */
  close(): void;
}

/** How long (ms) what one process lets through is unknown to the others, at the least. */
const EXCHANGED_EVERY = 50;

/** Exchanges what was taken until it is closed. `now` is the clock of whoever takes. */
export function startUsageSync(shares: SharedCounters, now: () => number): UsageSync {
  const meters: SharedRateLimiter[] = [];
  const timer = setInterval(() => {
    for (const meter of meters) void meter.exchange(now);
  }, EXCHANGED_EVERY);
  return {
    meterOf(name, rate) {
      const meter = createSharedRateLimiter(name, rate, shares);
      meters.push(meter);
      return meter;
    },
    close: () => clearInterval(timer),
  };
}
