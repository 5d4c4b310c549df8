// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { ExpiryPace, SLOT_MS } from "../../src/store/expiry-pace.ts";

/**
 * Works off slots with these numbers of sessions, slice by slice. `sliceMs` is the time from one slice to the next.
 * Returns the largest slice, and the age (ms) of the last sessions since the end of their slot.
 */
function workOff(slots: readonly number[], sliceMs: number, startAt = SLOT_MS) {
  const pace = new ExpiryPace();
  const left = slots.map((sessions, i) => ({ slot: 1 + i, sessions }));
  let largest = 0;
  let latest = 0;
  for (let now = startAt; ; now += sliceMs) {
    const due = left.filter(({ slot, sessions }) => sessions > 0 && slot * SLOT_MS <= now);
    const [first] = due;
    if (first === undefined && left.every(({ sessions }) => sessions === 0)) return { largest, latest };
    if (first === undefined) pace.rest();
    else {
      const count = pace.next(due, now);
      largest = Math.max(largest, Math.min(count, first.sessions));
      first.sessions = Math.max(0, first.sessions - count);
      latest = Math.max(latest, now - first.slot * SLOT_MS);
    }
  }
}

test("a million sessions that expire in the same second are found within 50 s, in short slices", () => {
  const { largest, latest } = workOff([1_000_000], 5);
  assert.ok(largest <= 150, `a slice of ${largest}`);
  assert.ok(latest <= 50_000 - SLOT_MS, `${latest} ms after the end of the slot`);
});

test("a small slot does not delay a large one after it", () => {
  const { largest, latest } = workOff([300, 600_000, 20], 5);
  assert.ok(largest <= 100, `a slice of ${largest}`);
  assert.ok(latest <= 50_000 - SLOT_MS, `${latest} ms after the end of the slot`);
});

test("what is overdue after a stop is found in slices that stay limited", () => {
  const { largest } = workOff([1_000_000], 20, 3_600_000);
  assert.ok(largest <= 1024, `a slice of ${largest}`);
  assert.equal(workOff([4000], 20, 3_600_000).largest, 500, "few sessions are spread too");
});
