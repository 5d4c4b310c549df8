import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { sessionOf } from "../../support/api.ts";
import { createCaller } from "../../support/caller.ts";
import { long } from "../../support/tier.ts";

/** Waiting times of the background load, in ms. */
export interface ResponseTimes {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
}

/** Time between two requests of the background load in ms, however long the responses take. */
const INTERVAL_MS = 5;

/**
 * Retrieves and creates sessions alternately, at an even pace for `milliseconds`; each request must succeed. The time
 * of a delayed request counts from the time at which it was due.
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

/**
 * The acceptable delay, in milliseconds. On a machine with two cores the attackers use the processor too, so requests
 * also wait for the scheduler: a little in the long form, which runs alone, and more beside other tests.
 */
const ACCEPTABLE_MS = long ? 10 : 250;

/** Fails if the attack has more than doubled the p99 of the background load. */
export function assertNotSlowed(what: string, alone: ResponseTimes, during: ResponseTimes): void {
  const ms = ({ median, p99 }: ResponseTimes) => `${median.toFixed(2)} / ${p99.toFixed(2)}`;
  console.log(`${what}: median / p99 of others ${ms(alone)} ms alone, ${ms(during)} ms during it`);
  assert.ok(during.p99 <= Math.max((long ? 2 : 10) * alone.p99, ACCEPTABLE_MS), what);
}
