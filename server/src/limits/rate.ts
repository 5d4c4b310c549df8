/** A rate limit: a burst of up to `count`, and then one every `period / count`. */
export interface Rate {
  readonly count: number;
  /** Milliseconds. */
  readonly period: number;
}

/*
 * GCRA, the leaky bucket that is stored as one number: the time at which it will be drained, in ms on the clock of
 * `now`. Each admitted request adds `period / count` to the bucket, which holds a whole period.
 */

/**
 * Returns the wait until one more may be taken, in whole ms; 0 if it may be taken now. Less than 1 ms counts as no wait,
 * because sums of fractions are not exact.
 */
export function waitFor(rate: Rate, drainedAt: number, now: number): number {
  return Math.max(0, Math.floor(afterOne(rate, drainedAt, now) - now - rate.period));
}

/** Returns when the bucket will be drained after one more was taken. */
export function afterOne({ count, period }: Rate, drainedAt: number, now: number): number {
  return Math.max(drainedAt, now) + period / count;
}
