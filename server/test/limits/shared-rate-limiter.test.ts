import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSharedRateLimiter,
  type Remaining,
  type Usage,
} from "../../src/limits/shared-rate-limiter.ts";

/** One a second, sixty at once. */
const rate = { count: 60, period: 60_000 };

/** A limiter whose exchanges end in `rest`, what they told, and the time. */
function alone(rest: { is: Remaining }) {
  const told: Usage[][] = [];
  const time = { now: 1_000_000 };
  const add = (takings: readonly Usage[]) => {
    told.push([...takings]);
    return Promise.resolve(takings.map(() => rest.is));
  };
  const limiter = createSharedRateLimiter("m", rate, { add });
  const exchange = () => limiter.exchange(() => time.now);
  return { limiter, told, time, exchange };
}

test("what could not be told is told later, with what came since", async () => {
  const rest = { is: "unsent" as Remaining };
  const { limiter, told, time, exchange } = alone(rest);
  for (let i = 0; i < 10; i++) limiter.take("a", time.now);
  await exchange();
  limiter.take("a", time.now);
  rest.is = 11_000;
  await exchange();
  await exchange();
  assert.deepEqual(told, [
    [{ bucket: "m:a", amount: 10_000 }],
    [{ bucket: "m:a", amount: 11_000 }],
  ]);
});

test("after an outage nobody owes what has long flowed out", async () => {
  const rest = { is: "unsent" as Remaining };
  const { limiter, told, time, exchange } = alone(rest);
  // An hour at just the rate that is allowed, with forty at once before.
  for (let i = 0; i < 40; i++) limiter.take("a", time.now);
  for (let second = 0; second < 3600; second++) {
    assert.equal(limiter.take("a", time.now), 0);
    await exchange();
    time.now += 1000;
  }
  rest.is = 0;
  await exchange();
  assert.deepEqual(told.at(-1), [{ bucket: "m:a", amount: 41_000 }]);
  time.now += 60_000;
  rest.is = "unsent";
  limiter.take("b", time.now);
  await exchange();
  time.now += 1000;
  await exchange();
  rest.is = 0;
  const before = told.length;
  await exchange();
  assert.equal(told.length, before, "nothing is left to tell");
});

test("what may have been told is not told again", async () => {
  const rest = { is: "unknown" as Remaining };
  const { limiter, told, time, exchange } = alone(rest);
  limiter.take("a", time.now);
  await exchange();
  await exchange();
  assert.deepEqual(told, [[{ bucket: "m:a", amount: 1000 }]]);
});
