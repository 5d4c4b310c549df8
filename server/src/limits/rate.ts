/** So many in so long: as many at once, and then one whenever as long as one takes has passed. */
export interface Rate {
  readonly count: number;
  /** Milliseconds. */
  readonly period: number;
}

/*
 * GCRA, the leaky bucket that remembers one number: when it will be empty again, in milliseconds on
 * whatever clock `now` is of. Each taking fills it by a `count`th of the period, and it holds a period.
 */

/**
 * How long to wait until one more may be taken, in whole milliseconds; 0 when it may be taken now. Less
 * than one is no wait: sums of fractions are not exact.
 */
export function waitFor(rate: Rate, emptyAt: number, now: number): number {
  return Math.max(0, Math.floor(afterOne(rate, emptyAt, now) - now - rate.period));
}

/** When the bucket will be empty, once one more was taken. */
export function afterOne({ count, period }: Rate, emptyAt: number, now: number): number {
  return Math.max(emptyAt, now) + period / count;
}
