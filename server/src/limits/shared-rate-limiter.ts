import type { Rate } from "./rate.ts";
import { createRateLimiter, type RateLimiter } from "./rate-limiter.ts";

/** What was taken from a bucket since it was last told. */
export interface Usage {
  readonly bucket: string;
  /** Milliseconds that it takes to flow out again. */
  readonly amount: number;
}

/**
 * How long (ms) it takes until a bucket is empty, with what all processes took; or why that is not
 * known: what was taken was not told to anybody, or may have been.
 */
export type Remaining = number | "untold" | "unknown";

/** Where processes tell each other what callers took. */
export interface SharedCounters {
  /** Adds to each bucket what was taken from it, and gives for each what is in it. Never rejects. */
  add(takings: readonly Usage[]): Promise<readonly Remaining[]>;
}

/** A meter of several processes. */
export interface SharedRateLimiter extends RateLimiter {
  /** Tells what was taken here, and hears what was taken elsewhere. Never rejects. */
  exchange(now: () => number): Promise<void>;
}

/** What is told at a time; what is more waits for the next. */
const MAX_TOLD = 1000;
/** How many callers' takings wait while nobody can be asked. */
const MAX_UNTOLD = 50_000;

/**
 * A meter that decides at once, by what this process knows, and exchanges what was taken with the others
 * behind it: no caller waits for that. So within the time between two exchanges each process may let
 * through what it would by itself; what was too much is a debt that all wait for. While nobody can be
 * asked each holds to the rate by itself, and what it let through flows out there. What may have been
 * told is not told again: an outage that counts everything many times would lock callers out.
 */
export function createSharedRateLimiter(
  name: string,
  rate: Rate,
  shares: SharedCounters,
): SharedRateLimiter {
  const meter = createRateLimiter(rate);
  const drop = rate.period / rate.count;
  /** What each subject took, in milliseconds. */
  const untold = new Map<string, number>();
  let isTelling = false;

  function note(subject: string, amount: number): void {
    const before = untold.get(subject);
    if (before !== undefined || untold.size < MAX_UNTOLD)
      untold.set(subject, (before ?? 0) + amount);
  }

  /** Nobody could be told. No more remains to be told than what has not flowed out here by now. */
  function keep(subject: string, amount: number, at: number): void {
    note(subject, amount);
    const left = Math.min(untold.get(subject) ?? 0, meter.emptyAt(subject) - at);
    if (left > 0) untold.set(subject, left);
    else untold.delete(subject);
  }

  async function tell(told: readonly [string, number][], now: () => number): Promise<void> {
    const rests = await shares.add(
      told.map(([subject, amount]) => ({ bucket: `${name}:${subject}`, amount })),
    );
    const at = now();
    for (const [i, [subject, amount]] of told.entries()) {
      const rest = rests[i] ?? "unknown";
      if (rest === "untold") keep(subject, amount, at);
      else if (rest !== "unknown") meter.learn(subject, at + rest + (untold.get(subject) ?? 0), at);
    }
  }

  return {
    ...meter,
    take(subject, now) {
      const wait = meter.take(subject, now);
      if (wait === 0) note(subject, drop);
      return wait;
    },
    async exchange(now) {
      if (isTelling || untold.size === 0) return;
      isTelling = true;
      const told = untold.entries().take(MAX_TOLD).toArray();
      for (const [subject] of told) untold.delete(subject);
      await tell(told, now);
      isTelling = false;
    },
  };
}
