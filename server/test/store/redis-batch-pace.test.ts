// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchPace } from "../../src/store/redis/notes/batch-pace.ts";

/** Time (ms) that a batch takes. */
const BATCH_MS = 4;

/**
 * Works off notes of which `perSecond` arrive for ten seconds. Returns the longest time (ms) from a note to the end of its
 * batch and the size of the largest batch, both after the first two seconds.
 */
function workOff(perSecond: number) {
  const pace = new BatchPace(true);
  const every = 1000 / perSecond;
  let longest = 0;
  let largest = 0;
  let batches = 0;
  for (let first = 0; first < 10_000; ) {
    const begin = first + pace.delay(first);
    const end = begin + BATCH_MS;
    const count = 1 + Math.floor((begin - first) / every);
    pace.ended(end, count);
    if (first > 2000) {
      longest = Math.max(longest, end - first);
      largest = Math.max(largest, count);
      batches++;
    }
    first += count * every;
  }
  return { longest, largest, batches };
}

test("while few sessions change, an event is published some milliseconds later", () => {
  for (const perSecond of [1, 10, 50, 100, 200, 400]) {
    const { longest } = workOff(perSecond);
    assert.ok(longest <= 20, `${longest} ms at ${perSecond} changes a second`);
  }
});

test("while many sessions change, few batches publish the events of many at a time", () => {
  for (const perSecond of [1500, 5000, 20_000]) {
    const { largest, longest, batches } = workOff(perSecond);
    assert.ok(largest >= perSecond / 6, `${largest} notes in a batch at ${perSecond} changes a second`);
    assert.ok(batches <= 8 * 6, `${batches} batches at ${perSecond} changes a second`);
    assert.ok(longest <= 210, `${longest} ms at ${perSecond} changes a second`);
  }
});

test("an event that follows many changes waits for the rest of the pause, and the next one does not", () => {
  const pace = new BatchPace(true);
  pace.ended(1000, 10_000);
  assert.equal(pace.delay(1050), 150);
  pace.ended(1210, 1);
  assert.equal(pace.delay(1300), 5);
});

test("without events, notes share commands for half a second, however few there are", () => {
  const pace = new BatchPace(false);
  pace.ended(0, 1);
  assert.equal(pace.delay(1000), 500);
});
