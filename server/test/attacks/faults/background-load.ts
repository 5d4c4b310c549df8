import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { sessionOf } from "../../support/api.ts";
import { createCaller } from "../../support/caller.ts";
import { long } from "../../support/tier.ts";

/** The waiting times of ordinary callers, in milliseconds. */
export interface Waits {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
}

/** Milliseconds between two requests of the ordinary callers, however long the responses take. */
const EVERY = 5;

/**
 * Retrieves and creates sessions alternately, at an even pace for `milliseconds`; each request must succeed. The time
 * of a delayed request counts from the time at which it was due.
 */
export async function waitsBeside(url: string, milliseconds: number): Promise<Waits> {
  using caller = createCaller(url, 64);
  const { sessionId } = sessionOf(await caller.create({ customerId: "customer" }));
  const waits: number[] = [];
  const ask = async (i: number, due: number) => {
    const answer = await (i % 2 === 0 ? caller.retrieve(sessionId) : caller.create());
    assert.equal(answer.status, 200, answer.text);
    waits.push(performance.now() - due);
  };
  const start = performance.now();
  const asked: Promise<void>[] = [];
  for (let i = 0; i * EVERY < milliseconds; i++) {
    await delay(Math.max(0, start + i * EVERY - performance.now()));
    asked.push(ask(i, performance.now()));
  }
  await Promise.all(asked);
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { count: sorted.length, median: at(0.5), p99: at(0.99) };
}

/**
 * The acceptable delay, in milliseconds. On a machine with two cores the attackers use the processor too, so requests
 * also wait for the scheduler: a little in the long form, which runs alone, and more beside other tests.
 */
const HARMLESS = long ? 10 : 250;

/** Fails if the attack has more than doubled the p99 of the other callers. */
export function assertUnharmed(what: string, alone: Waits, beside: Waits): void {
  const ms = ({ median, p99 }: Waits) => `${median.toFixed(2)} / ${p99.toFixed(2)}`;
  console.log(`${what}: median / p99 of others ${ms(alone)} ms alone, ${ms(beside)} ms beside it`);
  assert.ok(beside.p99 <= Math.max((long ? 2 : 10) * alone.p99, HARMLESS), what);
}
