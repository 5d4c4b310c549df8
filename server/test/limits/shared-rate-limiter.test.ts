// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSharedRateLimiter, type Remaining, type Usage } from "../../src/limits/shared-rate-limiter.ts";

/** One request per second; sixty at once. */
const rate = { count: 60, period: 60_000 };

/** Returns a limiter, the usage that its exchanges have sent, and the time. Exchanges return `remaining`. */
function alone(remaining: { is: Remaining }) {
  const sent: Usage[][] = [];
  const time = { now: 1_000_000 };
  const add = (usage: readonly Usage[]) => {
    sent.push([...usage]);
    return Promise.resolve(usage.map(() => remaining.is));
  };
  const limiter = createSharedRateLimiter("m", rate, { add });
  const exchange = () => limiter.exchange(() => time.now);
  return { limiter, sent, time, exchange };
}

test("usage that could not be sent is sent later, with newer usage", async () => {
  const remaining = { is: "unsent" as Remaining };
  const { limiter, sent, time, exchange } = alone(remaining);
  for (let i = 0; i < 10; i++) limiter.take("a", time.now);
  await exchange();
  limiter.take("a", time.now);
  remaining.is = 11_000;
  await exchange();
  await exchange();
  assert.deepEqual(sent, [[{ bucket: "m:a", amount: 10_000 }], [{ bucket: "m:a", amount: 11_000 }]]);
});

test("after an outage usage that has drained is not sent", async () => {
  const remaining = { is: "unsent" as Remaining };
  const { limiter, sent, time, exchange } = alone(remaining);
  // Forty at once, and then an hour of requests at exactly the permitted rate.
  for (let i = 0; i < 40; i++) limiter.take("a", time.now);
  for (let second = 0; second < 3600; second++) {
    assert.equal(limiter.take("a", time.now), 0);
    await exchange();
    time.now += 1000;
  }
  remaining.is = 0;
  await exchange();
  assert.deepEqual(sent.at(-1), [{ bucket: "m:a", amount: 41_000 }]);
  time.now += 60_000;
  remaining.is = "unsent";
  limiter.take("b", time.now);
  await exchange();
  time.now += 1000;
  await exchange();
  remaining.is = 0;
  const before = sent.length;
  await exchange();
  assert.equal(sent.length, before, "nothing is left to send");
});

test("usage that may have been sent is not sent again", async () => {
  const remaining = { is: "unknown" as Remaining };
  const { limiter, sent, time, exchange } = alone(remaining);
  limiter.take("a", time.now);
  await exchange();
  await exchange();
  assert.deepEqual(sent, [[{ bucket: "m:a", amount: 1000 }]]);
});
