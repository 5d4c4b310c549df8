import type { Rate } from "./rate.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import {
  createSharedRateLimiter,
  type SharedCounters,
  type SharedRateLimiter,
} from "./shared-rate-limiter.ts";

/** Rate limiters that several processes share. */
export interface UsageSync {
  /** Creates a rate limiter that is shared with those of the same name in other processes. */
  limiterOf(name: string, rate: Rate): RateLimiter;
  /** Stops exchanging; each limiter goes on by itself. */
  close(): void;
}

/** How often (ms) usage is exchanged: for so long other processes do not know what this one admits. */
const EXCHANGE_EVERY_MS = 50;

/** Exchanges usage until it is closed. `now` is the clock of the limiters' callers. */
export function startUsageSync(counters: SharedCounters, now: () => number): UsageSync {
  const limiters: SharedRateLimiter[] = [];
  const timer = setInterval(() => {
    for (const limiter of limiters) void limiter.exchange(now);
  }, EXCHANGE_EVERY_MS);
  return {
    limiterOf(name, rate) {
      const limiter = createSharedRateLimiter(name, rate, counters);
      limiters.push(limiter);
      return limiter;
    },
    close: () => clearInterval(timer),
  };
}
