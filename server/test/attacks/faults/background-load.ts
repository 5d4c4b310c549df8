import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { sessionOf } from "../../support/api.ts";
import { createCaller } from "../../support/caller.ts";
import { long } from "../../support/tier.ts";

/** Response times of the background load in ms. */
export interface ResponseTimes {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
}

/** A request is sent every 5 ms, even if earlier ones have no response yet. */
const INTERVAL_MS = 5;

/**
 * Retrieves and creates sessions in turn for `milliseconds`, one request every `INTERVAL_MS`. Each must succeed. If a
 * request is sent late, its response time is measured from when it should have been sent.
 */
export async function measureBackgroundLoad(url: string, milliseconds: number): Promise<ResponseTimes> {
  using caller = createCaller(url, 64);
  const { sessionId } = sessionOf(await caller.create({ customerId: "customer" }));
  const waits: number[] = [];
  const send = async (i: number, due: number) => {
    const answer = await (i % 2 === 0 ? caller.retrieve(sessionId) : caller.create());
    assert.equal(answer.status, 200, answer.text);
    waits.push(performance.now() - due);
  };
  const start = performance.now();
  const requests: Promise<void>[] = [];
  for (let i = 0; i * INTERVAL_MS < milliseconds; i++) {
    await delay(Math.max(0, start + i * INTERVAL_MS - performance.now()));
    requests.push(send(i, performance.now()));
  }
  await Promise.all(requests);
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p99: at(0.99) };
}

/** How often an attack is measured: the best time counts, because a machine can be slow for other reasons. */
const ATTEMPTS = long ? 1 : 4;

/**
 * Measures the times of other callers during an attack. In the long form, fails if their p99 is more than twice that
 * without the attack, and more than 10 ms; otherwise if their median is more than ten times that, and more than 250 ms.
 */
export async function assertNotSlowed(
  what: string,
  alone: ResponseTimes,
  measure: () => Promise<ResponseTimes>,
): Promise<void> {
  const ms = ({ median, p99 }: ResponseTimes) => `${median.toFixed(2)} / ${p99.toFixed(2)}`;
  for (let attempt = 1; ; attempt++) {
    const during = await measure();
    const figures = `${what}: median / p99 of others ${ms(alone)} ms alone, ${ms(during)} ms during it`;
    console.log(figures);
    const isFast = long ? during.p99 <= Math.max(2 * alone.p99, 10) : during.median <= Math.max(10 * alone.median, 250);
    if (isFast) return;
    assert.ok(attempt < ATTEMPTS, figures);
  }
}
