// runs: once

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { eventually } from "../eventually.ts";
import { startRedisCluster } from "./cluster.ts";
import { startSecuredRedis } from "./secured.ts";
import { startSentinelRedis } from "./sentinel.ts";
import { startSingleRedis } from "./single.ts";

/* Tests that the servers of other tests start, and that faults have their effect. */

test("a single server that stores its data has them after a restart", async () => {
  await using redis = await startSingleRedis("always");
  await redis.node.command("SET", "name", "value");
  await redis.node.restart();
  assert.equal(await redis.node.command("GET", "name"), "value");
});

test("a secured server accepts its user over TLS", async () => {
  await using redis = await startSecuredRedis();
  assert.equal(await redis.node.command("ACL", "WHOAMI"), redis.user);
  assert.match(redis.url, /^rediss:/);
});

test("sentinels replace a primary that was killed by its replica", async () => {
  await using redis = await startSentinelRedis({ downAfter: 300 });
  const first = await redis.primary();
  await first.kill();
  await redis.untilOk();
  assert.notEqual(await redis.primary(), first);
});

test("a cluster moves slots with their keys, and survives a partition", async () => {
  await using cluster = await startRedisCluster({ isPartitionable: true, nodeTimeout: 800 });
  const slot = await cluster.slotOf("name");
  const owner = await cluster.primaryOf(slot);
  await owner.command("SET", "name", "value");
  const [other] = cluster.nodes.filter((node, i) => i < 3 && node !== owner);
  assert.ok(other);
  await cluster.moveSlots([slot], other);
  assert.equal(await cluster.primaryOf(slot), other);
  assert.equal(await other.command("GET", "name"), "value");

  const [replica] = await cluster.replicasOf(other);
  cluster.partition([[other], cluster.nodes.filter((node) => node !== other)]);
  await eventually(async () => assert.equal(await cluster.primaryOf(slot), replica), 10_000);
  cluster.heal();
  await cluster.untilOk();
  assert.equal(await replica?.command("GET", "name"), "value");
});
