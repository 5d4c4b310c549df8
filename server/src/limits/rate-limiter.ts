import { afterOne, type Rate, waitFor } from "./rate.ts";

/** A rate limiter for many subjects, such as addresses. Each subject has a bucket of its own. */
export interface RateLimiter {
  readonly rate: Rate;
  /** Admits one more request of `subject` and returns 0, or admits none and returns the time to wait in ms. */
  take(subject: string, now: number): number;
  /** Returns when the subject's bucket will be empty (GCRA's theoretical arrival time); 0 for an unknown subject. */
  drainedAt(subject: string): number;
  /** Sets the time at which the subject's bucket will be empty. */
  set(subject: string, drainedAt: number, now: number): void;
}

/**
 * Maximum number of subjects in each of the two generations; together they take about 10 MB. If there are more subjects
 * within a period, those that have been idle the longest are forgotten and start again with an empty bucket.
 */
const MAX_SUBJECTS = 50_000;

/**
 * Creates a rate limiter for this process. A bucket is empty after the subject was idle for a period, and can then be
 * forgotten. To forget idle subjects without searching for them, the limiter keeps two generations of subjects: when
 * the younger generation is a period old, the older one is dropped.
 */
export function createRateLimiter(rate: Rate, maxSubjects: number = MAX_SUBJECTS): RateLimiter {
  let young = new Map<string, number>();
  let old = new Map<string, number>();
  let since = Number.NEGATIVE_INFINITY;

  function drainedAt(subject: string): number {
    return young.get(subject) ?? old.get(subject) ?? 0;
  }

  function set(subject: string, at: number, now: number): void {
    if (young.size >= maxSubjects || now - since >= rate.period) {
      old = young;
      young = new Map();
      since = now;
    }
    young.set(subject, at);
  }

  return {
    rate,
    drainedAt,
    set,
    take(subject, now) {
      const before = drainedAt(subject);
      const wait = waitFor(rate, before, now);
      if (wait === 0) set(subject, afterOne(rate, before, now), now);
      return wait;
    },
  };
}
