/** A rate limit: it admits `count` requests at once, and then one every `period / count`. */
export interface Rate {
  readonly count: number;
  /** Length of the period in milliseconds. */
  readonly period: number;
}

/*
 * Rate limiting by GCRA, a leaky bucket of which only one number is stored: the time at which the bucket will be empty
 * (ms, on the same clock as `now`). Each admitted request adds `period / count` to that time. The bucket is full when
 * that time is `period` ahead of `now`.
 */

/** Returns how long (whole ms) the next request must wait. Under 1 ms counts as 0, as sums of fractions are inexact. */
export function waitFor(rate: Rate, drainedAt: number, now: number): number {
  return Math.max(0, Math.floor(afterOne(rate, drainedAt, now) - now - rate.period));
}

/** Returns the time at which the bucket will be empty after one more request. */
export function afterOne({ count, period }: Rate, drainedAt: number, now: number): number {
  return Math.max(drainedAt, now) + period / count;
}
