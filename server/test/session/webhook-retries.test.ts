// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILURES_BEFORE_PAUSE, nextAttemptAt, parseRetryAfter, pauseMs } from "../../src/session/webhook-retries.ts";
import { DAY, HOUR, MINUTE, SECOND, START } from "../support/sessions.ts";

/** Returns the delays of all retries if each attempt fails at once. */
function delays(random: number): number[] {
  const found: number[] = [];
  let now = START;
  for (let attempts = 1; ; attempts++) {
    const next = nextAttemptAt({ attempts, queuedAt: START }, now, { random });
    if (next === undefined) return found;
    found.push(next - now);
    now = next;
  }
}

const scheduled = [
  ...[5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY],
];

test("a delivery is retried by the schedule of the contract, over three days, and then has failed", () => {
  assert.deepEqual(delays(0), scheduled);
});

test("jitter shortens each delay by at most a tenth, and changes the number of retries in no case", () => {
  for (const random of [0.2, 0.999]) {
    const found = delays(random);
    assert.equal(found.length, scheduled.length);
    for (const [i, delay] of found.entries()) {
      const part = delay / (scheduled[i] as number);
      assert.ok(part >= 0.9 - 1e-6 && part < 1, String(part));
    }
  }
});

test("Retry-After postpones a retry up to a day, and never brings it forward", () => {
  const after = (retryAfterMs: number | undefined, attempts = 1) =>
    (nextAttemptAt({ attempts, queuedAt: START }, START, { retryAfterMs, random: 0 }) ?? 0) - START;
  assert.equal(after(undefined), 5 * SECOND);
  assert.equal(after(SECOND), 5 * SECOND);
  assert.equal(after(MINUTE), MINUTE);
  assert.equal(after(parseRetryAfter(String(30 * 24 * 3600), START)), DAY);
  assert.equal(after(MINUTE, 5), HOUR);
});

test("a delivery that is older than three days is not retried, however few attempts it had", () => {
  const next = nextAttemptAt({ attempts: 1, queuedAt: START }, START + 3 * DAY, { random: 0.5 });
  assert.equal(next, undefined);
});

test("an endpoint is paused after some failures in a row, for up to a minute", () => {
  assert.equal(pauseMs(FAILURES_BEFORE_PAUSE - 1, 0), 0);
  assert.equal(pauseMs(FAILURES_BEFORE_PAUSE, 0), 5 * SECOND);
  assert.equal(pauseMs(FAILURES_BEFORE_PAUSE + 1, 0), 10 * SECOND);
  assert.equal(pauseMs(100_000, 0), MINUTE);
  assert.equal(pauseMs(100_000, 0.5), 57 * SECOND);
});

test("Retry-After is read as seconds or as a date, and nothing else", () => {
  const parse = (text: string | undefined) => parseRetryAfter(text, START);
  assert.equal(parse("120"), 2 * MINUTE);
  assert.equal(parse("99999999999999"), DAY, "a huge number is not ignored, but cut to a day");
  assert.equal(parse(new Date(START + 30 * DAY).toUTCString()), DAY);
  assert.equal(parse(new Date(START + HOUR).toUTCString()), HOUR);
  assert.equal(parse(new Date(START - HOUR).toUTCString()), 0);
  for (const text of [undefined, "", "-1", "1.5", "soon", "1e9", "2026-11-23"]) {
    assert.equal(parse(text), undefined, String(text));
  }
});
