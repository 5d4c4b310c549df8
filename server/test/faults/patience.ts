import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

/** Whether the long forms of the tests were asked for (`npm run test:long`). */
export const long = process.env.ANTECHAMBER_LONG === "1";

/** Waits until `condition` holds, asking again every 20 ms; fails after `milliseconds`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  milliseconds: number,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `after ${milliseconds} ms still not: ${what}`);
    await delay(20);
  }
}

/** The middle one of `values`, or `NaN` when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
