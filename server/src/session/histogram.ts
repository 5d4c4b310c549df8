/**
 * A histogram in compact form: the number of the first bucket that has observations, then the number of observations in
 * it and in each one after it, up to the last that has any. Empty without observations.
 */
export type Histogram = readonly number[];

/** The number of buckets for each factor of ten. */
const PER_DECADE = 8;
/** Upper bound of the first bucket (ms). */
const FIRST_MS = 0.1;
/** Number of buckets: the last one has everything above 1000 s. */
export const DURATION_BUCKETS = 7 * PER_DECADE + 2;

/**
 * Upper bounds (ms) of the buckets for the durations of recorded requests, from 0.1 ms to 1000 s; the last one has none.
 * Each is a third wider than the one before. Stored data depend on them.
 */
export const durationBounds: readonly number[] = Array.from(
  { length: DURATION_BUCKETS - 1 },
  (_, i) => FIRST_MS * 10 ** (i / PER_DECADE),
);

/** Returns the number of the bucket of a duration (ms). */
export function durationBucket(ms: number): number {
  if (!(ms > FIRST_MS)) return 0;
  return Math.min(DURATION_BUCKETS - 1, Math.ceil(Math.log10(ms / FIRST_MS) * PER_DECADE));
}

/** The percentiles that statistics show. */
export const percentiles = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;
export type Percentile = keyof typeof percentiles;

/** Returns a histogram in compact form. `counts` has the number of observations in each bucket. */
export function histogramOf(counts: ArrayLike<number>): Histogram {
  const used = Array.from(counts, (count, bucket) => (count > 0 ? bucket : -1)).filter((bucket) => bucket !== -1);
  const [first] = used;
  const last = used.at(-1);
  if (first === undefined || last === undefined) return [];
  return [first, ...Array.from({ length: last - first + 1 }, (_, i) => counts[first + i] as number)];
}

/** Adds a histogram to the numbers of observations in each bucket. */
export function addHistogram(sums: Float64Array, histogram: Histogram): void {
  const [first = 0] = histogram;
  for (let i = 1; i < histogram.length; i++) {
    const bucket = first + i - 1;
    sums[bucket] = (sums[bucket] as number) + (histogram[i] as number);
  }
}

/**
 * Returns the value below which the part `quantile` of the observations lies, interpolated within its bucket; `null`
 * without observations. `bounds` are the upper bounds of the buckets, in order. A value in the bucket without an upper
 * bound counts as the highest bound.
 */
export function quantileOf(counts: ArrayLike<number>, bounds: readonly number[], quantile: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] as number;
  if (total === 0) return null;
  let left = quantile * total;
  for (const [bucket, to] of bounds.entries()) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && left <= count) {
      const from = bounds[bucket - 1] ?? 0;
      return Number((from + (to - from) * (left / count)).toPrecision(3));
    }
    left -= count;
  }
  return bounds.at(-1) ?? null;
}

/** Upper bounds (seconds) of the buckets for the latency of requests to the API; the last one has none. */
export const latencyBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
