import { REFRESH_MS } from "../../polling.ts";
import { place } from "../../router.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A range of time that the page can show. */
export interface Range {
  /** Value of the range in the address. */
  readonly name: string;
  /** Name of the range for screen readers. */
  readonly title: string;
  readonly lengthMs: number;
  /** Length of a step in milliseconds. */
  readonly stepMs: number;
  /** Interval in milliseconds at which the page refreshes. */
  readonly everyMs: number;
}

/** The ranges, shortest first. Each has about a hundred steps, so that its charts are easy to read. */
export const ranges: readonly Range[] = [
  { name: "15m", title: "15 minutes", lengthMs: 15 * MINUTE_MS, stepMs: MINUTE_MS, everyMs: REFRESH_MS },
  { name: "1h", title: "1 hour", lengthMs: HOUR_MS, stepMs: MINUTE_MS, everyMs: REFRESH_MS },
  { name: "6h", title: "6 hours", lengthMs: 6 * HOUR_MS, stepMs: 5 * MINUTE_MS, everyMs: REFRESH_MS },
  { name: "24h", title: "24 hours", lengthMs: 24 * HOUR_MS, stepMs: 15 * MINUTE_MS, everyMs: 6 * REFRESH_MS },
  { name: "7d", title: "7 days", lengthMs: 7 * 24 * HOUR_MS, stepMs: 2 * HOUR_MS, everyMs: 12 * REFRESH_MS },
  { name: "14d", title: "14 days", lengthMs: 14 * 24 * HOUR_MS, stepMs: 3 * HOUR_MS, everyMs: 12 * REFRESH_MS },
];

/** Returns the range in the address; an hour by default. */
export function rangeInAddress(): Range {
  const name = place.value.query.get("range");
  return ranges.find((range) => range.name === name) ?? (ranges[1] as Range);
}
