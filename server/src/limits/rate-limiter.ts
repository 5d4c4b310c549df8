import { afterOne, type Rate, waitFor } from "./rate.ts";

/** Holds each of many to one rate. */
export interface RateLimiter {
  readonly rate: Rate;
  /** Takes one for `subject` and gives 0, or takes none and gives how long (ms) to wait for it. */
  take(subject: string, now: number): number;
  /** When (ms) the subject's bucket is empty; 0: nothing is known of it. */
  emptyAt(subject: string): number;
  /** Takes over, at `now`, when the subject's bucket is empty. */
  learn(subject: string, emptyAt: number, now: number): void;
}

/**
 * How many who took something lately are remembered, twice over; with their names some 10 MB. When more
 * come within a period, those who were silent the longest are forgotten, and begin anew.
 */
const MAX_SUBJECTS = 50_000;

/**
 * A meter of this process. Whoever took nothing for a whole period is as good as new: so there are two
 * generations, the older one is dropped when the younger is a period old, and nobody is looked for.
 */
export function createRateLimiter(rate: Rate, maxSubjects: number = MAX_SUBJECTS): RateLimiter {
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  let since = Number.NEGATIVE_INFINITY;

  function takeTurns(now: number): void {
    if (young.size < maxSubjects && now - since < rate.period) return;
    old = young;
    young = new Map();
    since = now;
  }

  function emptyAt(subject: string): number {
    return young.get(subject) ?? old.get(subject) ?? 0;
  }

  return {
    rate,
    emptyAt,
    take(subject, now) {
      const before = emptyAt(subject);
      const wait = waitFor(rate, before, now);
      if (wait > 0) return wait;
      takeTurns(now);
      young.set(subject, afterOne(rate, before, now));
      return 0;
    },
    learn(subject, at, now) {
      takeTurns(now);
      young.set(subject, at);
    },
  };
}
