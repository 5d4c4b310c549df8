// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createClock, machineTime } from "../../src/runtime/clock.ts";
import { DAY, HOUR, MINUTE, SECOND, START } from "../support/sessions.ts";

/** Creates a machine's two clocks, which only the test advances. */
function machine() {
  let wall = START;
  let monotonic = 5000;
  return {
    wall: () => wall,
    monotonic: () => monotonic,
    /** Advances both clocks. */
    pass(milliseconds: number) {
      wall += milliseconds;
      monotonic += milliseconds;
    },
    /** Sets the wall clock. */
    step(milliseconds: number) {
      wall += milliseconds;
    },
  };
}

test("the clock follows the wall clock", () => {
  const source = machine();
  const clock = createClock(source);
  assert.equal(clock(), START);
  source.pass(SECOND);
  assert.equal(clock(), START + SECOND);
});

test("a step forward of the wall clock is followed, as after a suspension of the machine", () => {
  const source = machine();
  const clock = createClock(source);
  clock();
  source.step(DAY);
  assert.equal(clock(), START + DAY);
});

test("a step back is ignored, and time continues at its pace", () => {
  const source = machine();
  const clock = createClock(source);
  clock();
  source.step(-HOUR);
  assert.equal(clock(), START);
  source.pass(SECOND);
  assert.equal(clock(), START + SECOND);
  source.pass(10 * SECOND);
  assert.equal(clock(), START + 11 * SECOND);
});

test("after a step back the wall clock is followed again once it has caught up", () => {
  const source = machine();
  const clock = createClock(source);
  clock();
  source.step(-HOUR);
  source.pass(SECOND);
  clock();
  source.step(2 * HOUR);
  assert.equal(clock(), START + HOUR + SECOND);
  source.pass(SECOND);
  assert.equal(clock(), START + HOUR + 2 * SECOND);
});

test("a step back between two calls does not reduce the time that passed", () => {
  const source = machine();
  const clock = createClock(source);
  clock();
  source.pass(20 * MINUTE);
  source.step(-HOUR);
  source.pass(20 * MINUTE);
  assert.equal(clock(), START + 40 * MINUTE);
});

test("two steps back in a row lose no time", () => {
  const source = machine();
  const clock = createClock(source);
  clock();
  for (const step of [-HOUR, -DAY]) {
    source.step(step);
    source.pass(SECOND);
    clock();
  }
  assert.equal(clock(), START + 2 * SECOND);
});

test("a clock never starts before its floor, and continues from there", () => {
  const source = machine();
  const clock = createClock(source, START + DAY);
  assert.equal(clock(), START + DAY);
  source.pass(SECOND);
  assert.equal(clock(), START + DAY + SECOND);
});

test("a floor in the past changes nothing", () => {
  assert.equal(createClock(machine(), START - DAY)(), START);
});

test("whatever the wall clock does, time passes at least at the machine's pace", () => {
  const event = fc.record({
    pass: fc.nat(HOUR),
    step: fc.integer({ min: -DAY, max: DAY }),
    look: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const source = machine();
      const clock = createClock(source);
      let last = clock();
      let passed = 0;
      for (const { pass, step, look } of events) {
        source.pass(pass);
        source.step(step);
        passed += pass;
        if (!look) continue;
        const now = clock();
        assert.ok(now >= last + passed, `${now - last} ms instead of ${passed}`);
        last = now;
        passed = 0;
      }
    }),
    { numRuns: 2000 },
  );
});

test("the machine's own time is in whole milliseconds and monotonic", () => {
  assert.ok(Math.abs(machineTime.wall() - Date.now()) < MINUTE);
  const first = machineTime.monotonic();
  assert.ok(Number.isInteger(first) && machineTime.monotonic() >= first);
});
