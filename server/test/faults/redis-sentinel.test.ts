// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/eventually.ts";
import { startSentinelRedis } from "../support/redis/sentinel.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { long } from "../support/tier.ts";
import { type Outage, observeOutage, summed } from "./outage.ts";
import { startServices } from "./services.ts";

/** How often each fault is repeated. */
const ROUNDS = long ? 10 : 1;

test("when the primary of a Sentinel set-up is killed, the services use the new primary", async () => {
  await using redis = await startSentinelRedis();
  await using services = await startServices(redis.url, ["bun", "node"]);
  const outages: Outage[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const fault = async () => {
      const old = await redis.primary();
      await old.kill();
      await until("another is the primary", async () => (await redis.primary()) !== old);
      await services.untilServing();
      if (round + 1 === ROUNDS) return;
      // The sentinels need ten seconds to make the old primary a replica.
      await old.restart();
      await redis.untilOk();
    };
    outages.push(await observeOutage(services, { mayLose: true, fault }));
  }
  const { refused, unknown } = summed(outages);
  assert.ok(refused + unknown > 0, "nobody noticed");
});

test("when a single Redis with an append-only file is killed, no acknowledged change is lost", async () => {
  await using redis = await startSingleRedis("always");
  await using services = await startServices(redis.url, ["bun", "node"]);
  const outages: Outage[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const fault = async () => {
      await redis.node.kill();
      await services.untilNotReady();
      await redis.node.restart();
    };
    outages.push(await observeOutage(services, { mayLose: false, fault }));
  }
  assert.ok(summed(outages).refused > 0, "nobody noticed");
});
