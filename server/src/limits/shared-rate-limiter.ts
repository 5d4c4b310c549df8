import type { Rate } from "./rate.ts";
import { createRateLimiter, type RateLimiter } from "./rate-limiter.ts";

/** The usage of one bucket by this process since the last exchange. */
export interface Usage {
  readonly bucket: string;
  /** Time that the usage takes to drain, in ms. */
  readonly amount: number;
}

/**
 * Time in ms until a shared bucket is empty. If the exchange failed: `unsent` if the usage was certainly not sent,
 * `unknown` if it may have been sent.
 */
export type Remaining = number | "unsent" | "unknown";

/** The buckets that several processes share, in Redis. */
export interface SharedCounters {
  /** Adds usage to the buckets. Returns the time until each bucket is empty, in the order of `usage`. Never rejects. */
  add(usage: readonly Usage[]): Promise<readonly Remaining[]>;
}

/** A rate limiter whose buckets several processes share. */
export interface SharedRateLimiter extends RateLimiter {
  /** Sends the usage of this process and receives the state of the shared buckets. Never rejects. */
  exchange(now: () => number): Promise<void>;
}

/** Maximum number of buckets in one exchange. Further buckets wait for the next exchange. */
const MAX_SENT = 1000;
/** Maximum number of subjects whose usage waits for an exchange. */
const MAX_UNSENT = 50_000;

/**
 * Creates a rate limiter that decides at once by what this process knows, so that no caller waits for Redis. The
 * processes exchange their usage later. Between two exchanges, each process may admit as much as the rate allows for
 * all together. The excess must drain before any process admits more.
 *
 * During an outage each process limits by itself. Usage that has drained during the outage is not sent afterwards.
 * Usage that may already have been sent is not sent again, because counting it twice would refuse callers without
 * cause.
 */
export function createSharedRateLimiter(name: string, rate: Rate, counters: SharedCounters): SharedRateLimiter {
  const own = createRateLimiter(rate);
  const amountOfOne = rate.period / rate.count;
  /** Usage of each subject that waits to be sent, in ms. */
  const unsent = new Map<string, number>();
  let isExchanging = false;

  function addUnsent(subject: string, amount: number): void {
    const before = unsent.get(subject);
    if (before !== undefined || unsent.size < MAX_UNSENT) {
      unsent.set(subject, (before ?? 0) + amount);
    }
  }

  /** Keeps usage that was not sent for the next exchange, except the part that has drained by `now`. */
  function keepUnsent(subject: string, amount: number, now: number): void {
    addUnsent(subject, amount);
    const left = Math.min(unsent.get(subject) ?? 0, own.drainedAt(subject) - now);
    if (left > 0) unsent.set(subject, left);
    else unsent.delete(subject);
  }

  async function send(usage: readonly [string, number][], clock: () => number): Promise<void> {
    const remaining = await counters.add(usage.map(([subject, amount]) => ({ bucket: `${name}:${subject}`, amount })));
    const now = clock();
    for (const [i, [subject, amount]] of usage.entries()) {
      const left = remaining[i] ?? "unknown";
      if (left === "unsent") keepUnsent(subject, amount, now);
      else if (left !== "unknown") own.set(subject, now + left + (unsent.get(subject) ?? 0), now);
    }
  }

  return {
    ...own,
    take(subject, now) {
      const wait = own.take(subject, now);
      if (wait === 0) addUnsent(subject, amountOfOne);
      return wait;
    },
    async exchange(now) {
      if (isExchanging || unsent.size === 0) return;
      isExchanging = true;
      const usage = unsent.entries().take(MAX_SENT).toArray();
      for (const [subject] of usage) unsent.delete(subject);
      await send(usage, now);
      isExchanging = false;
    },
  };
}

/** Rate limiters that exchange their usage with other processes. */
export interface UsageSync {
  /** Creates a rate limiter. It shares its buckets with the limiters of the same name in other processes. */
  limiterOf(name: string, rate: Rate): RateLimiter;
  /** Stops the exchange. Each limiter then limits by itself. */
  close(): void;
}

/** Interval (ms) between exchanges. Until the next one, other processes do not know what this one has admitted. */
const EXCHANGE_EVERY_MS = 50;

/** Exchanges usage until it is closed. `now` must be the clock that the limiters' callers use. */
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
