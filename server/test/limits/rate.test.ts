import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Rate } from "../../src/limits/rate.ts";
import { createRateLimiter } from "../../src/limits/rate-limiter.ts";

/** Returns how many of `attempts` simultaneous requests are admitted. */
function passed(take: () => number, attempts: number): number {
  return Array.from({ length: attempts }, take).filter((wait) => wait === 0).length;
}

test("at most `count` requests are admitted at once", () => {
  for (const count of [1, 2, 3, 7, 60, 1000]) {
    const limiter = createRateLimiter({ count, period: 60_000 });
    assert.equal(
      passed(() => limiter.take("a", 5), 2 * count),
      count,
    );
  }
});

test("one more request is admitted each time a `count`th of the period has passed", () => {
  const limiter = createRateLimiter({ count: 4, period: 60_000 });
  const take = (now: number) => limiter.take("a", now);
  assert.equal(
    passed(() => take(0), 10),
    4,
  );
  assert.equal(take(14_999), 1);
  assert.equal(take(15_000), 0);
  assert.equal(take(15_001), 14_999);
  assert.equal(
    passed(() => take(60_000), 10),
    3,
  );
  assert.equal(
    passed(() => take(1_000_000), 10),
    4,
  );
});

test("the wait that is returned for a refused request is exact to the millisecond", () => {
  const limiter = createRateLimiter({ count: 3, period: 10_000 });
  const take = (now: number) => limiter.take("a", now);
  for (let now = 0; now < 1_000_000; ) {
    const wait = take(now);
    if (wait === 0) continue;
    assert.ok(take(now + wait - 1) > 0);
    now += wait;
    assert.equal(take(now), 0);
  }
});

test("subjects are limited independently", () => {
  const limiter = createRateLimiter({ count: 1, period: 1000 });
  assert.equal(limiter.take("a", 0), 0);
  assert.equal(limiter.take("b", 0), 0);
  assert.ok(limiter.take("a", 0) > 0);
});

test("no interval of time admits more than the rate allows", () => {
  const rate: Rate = { count: 10, period: 1000 };
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(gaps, (steps) => {
      const limiter = createRateLimiter(rate);
      const times: number[] = [];
      let now = 0;
      for (const step of steps) {
        now += step;
        if (limiter.take("a", now) === 0) times.push(now);
      }
      for (const [i, first] of times.entries()) {
        for (const [j, last] of times.entries()) {
          if (j < i) continue;
          // One more than drains meanwhile: the limiter admits a request whose wait would be less than a millisecond.
          const allowed = rate.count + ((last - first) * rate.count) / rate.period + 1;
          assert.ok(j - i + 1 <= allowed, `${j - i + 1} from ${first} to ${last}`);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("a flood of different subjects takes bounded memory", () => {
  const limiter = createRateLimiter({ count: 1, period: 60_000 }, 100);
  limiter.take("victim", 0);
  for (let i = 0; i < 99; i++) limiter.take(`flood ${i}`, 1);
  assert.ok(limiter.take("victim", 2) > 0, "within the bound everybody is remembered");
  for (let i = 0; i < 100_000; i++) limiter.take(`more ${i}`, 3);
  assert.equal(limiter.take("victim", 4), 0, "beyond it the oldest are forgotten");
});

test("a subject that was idle for less than a period is remembered", () => {
  const limiter = createRateLimiter({ count: 1, period: 1000 });
  for (let now = 0; now < 20_000; now += 100) limiter.take(`other ${now}`, now);
  for (let start = 20_000; start < 25_000; start += 130) {
    const name = `at ${start}`;
    assert.equal(limiter.take(name, start), 0);
    for (let now = start; now < start + 1000; now += 90) {
      limiter.take(`other ${start} ${now}`, now);
      assert.equal(limiter.take(name, now), start + 1000 - now);
    }
    assert.equal(limiter.take(name, start + 1000), 0);
  }
});
