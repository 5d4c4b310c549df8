import type { Rate } from "./rate.ts";
import { createRateLimiter, type RateLimiter } from "./rate-limiter.ts";

/** The amount taken from a bucket since the last exchange. */
export interface Usage {
  readonly bucket: string;
  /** Milliseconds that it takes to drain. */
  readonly amount: number;
}

/**
 * Milliseconds until a shared bucket is drained. If that is not known: `unsent` if the usage was certainly not sent,
 * `unknown` if it may have been sent.
 */
export type Remaining = number | "unsent" | "unknown";

/** Buckets that several processes share. */
export interface SharedCounters {
  /** Adds usage to the buckets and returns, in the same order, how long they take to drain. Never rejects. */
  add(usage: readonly Usage[]): Promise<readonly Remaining[]>;
}

/** A rate limiter that several processes share. */
export interface SharedRateLimiter extends RateLimiter {
  /** Sends the usage of this process, and receives the total usage of all processes. Never rejects. */
  exchange(now: () => number): Promise<void>;
}

/** Maximum number of buckets in one exchange; the others wait for the next. */
const MAX_SENT = 1000;
/** Maximum number of subjects whose usage waits to be sent. */
const MAX_UNSENT = 50_000;

/**
 * Creates a rate limiter that decides at once, by what this process knows, and exchanges usage with the others later: no
 * caller waits for that. So between two exchanges each process may admit a full rate of its own; the excess is a debt that
 * drains before any process admits more. During an outage each process limits by itself, and usage that has drained
 * meanwhile is not sent. Usage that may have been sent is not sent again: counting it twice would lock callers out.
 */
export function createSharedRateLimiter(
  name: string,
  rate: Rate,
  counters: SharedCounters,
): SharedRateLimiter {
  const own = createRateLimiter(rate);
  const amountOfOne = rate.period / rate.count;
  /** Usage of each subject in ms. */
  const unsent = new Map<string, number>();
  let isExchanging = false;

  function addUnsent(subject: string, amount: number): void {
    const before = unsent.get(subject);
    if (before !== undefined || unsent.size < MAX_UNSENT) {
      unsent.set(subject, (before ?? 0) + amount);
    }
  }

  /** Keeps usage that was not sent, except what has drained here by `now`. */
  function keepUnsent(subject: string, amount: number, now: number): void {
    addUnsent(subject, amount);
    const left = Math.min(unsent.get(subject) ?? 0, own.drainedAt(subject) - now);
    if (left > 0) unsent.set(subject, left);
    else unsent.delete(subject);
  }

  async function send(usage: readonly [string, number][], clock: () => number): Promise<void> {
    const remaining = await counters.add(
      usage.map(([subject, amount]) => ({ bucket: `${name}:${subject}`, amount })),
    );
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

/** Rate limiters that several processes share. */
export interface UsageSync {
  /** Creates a rate limiter that is shared with those of the same name in other processes. */
  limiterOf(name: string, rate: Rate): RateLimiter;
  /** Stops exchanging; each limiter continues by itself. */
  close(): void;
}

/** How often (ms) usage is exchanged. Until then other processes do not know what this one has admitted. */
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
