import { afterOne, type Rate, waitFor } from "./rate.ts";

/** Limits each of many subjects to one rate. */
export interface RateLimiter {
  readonly rate: Rate;
  /** Takes one for `subject` and returns 0, or takes none and returns the wait in ms. */
  take(subject: string, now: number): number;
  /** Returns when the subject's bucket will be drained (GCRA's theoretical arrival time); 0 for an unknown subject. */
  drainedAt(subject: string): number;
  /** Sets when the subject's bucket will be drained. */
  set(subject: string, drainedAt: number, now: number): void;
}

/**
 * Maximum number of subjects in each of two generations; with their names some 10 MB. If more come within a period, those
 * that have been idle the longest are forgotten and start with an empty bucket.
 */
const MAX_SUBJECTS = 50_000;

/**
 * Creates a rate limiter in this process. After an idle period a bucket is empty, so subjects are kept in two generations:
 * when the younger one is a period old, the older one is dropped, and no search for idle subjects is needed.
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
