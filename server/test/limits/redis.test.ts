import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Cluster, Redis } from "ioredis";
import { startExchange } from "../../src/limits/exchange.ts";
import { createRedisShares } from "../../src/limits/redis/redis-shares.ts";
import { createSharedMeter, type SharedMeter } from "../../src/limits/shared-meter.ts";
import { startRedisCluster } from "../support/redis/cluster.ts";
import { startSingleRedis } from "../support/redis/single.ts";

const rate = { count: 100, period: 60_000 };
const now = () => performance.now();

function meterOver(client: Redis | Cluster, timeout = 5000): SharedMeter {
  return createSharedMeter(
    "creates",
    rate,
    createRedisShares(client, { prefix: "ac:l:", timeout }),
  );
}

function clientOf(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => 50 });
  // What fails here is seen in what the meters do.
  client.on("error", () => undefined);
  return client;
}

/** How many of `attempts` get through. */
function passed(meter: SharedMeter, subject: string, attempts: number): number {
  const waits = Array.from({ length: attempts }, () => meter.take(subject, now()));
  return waits.filter((wait) => wait === 0).length;
}

test("what one process lets through another one knows, once they have exchanged it", async () => {
  await using redis = await startSingleRedis();
  const clients = [clientOf(redis.url), clientOf(redis.url)];
  const [one, other] = clients.map((client) => meterOver(client)) as [SharedMeter, SharedMeter];
  assert.equal(passed(one, "a", 60), 60);
  await one.exchange(now);
  // The other hears of it with its own first taking.
  assert.equal(passed(other, "a", 1), 1);
  await other.exchange(now);
  assert.equal(passed(other, "a", 100), 39);
  await other.exchange(now);
  assert.equal(passed(one, "a", 1), 1, "it has not asked since");
  await one.exchange(now);
  assert.equal(passed(one, "a", 10), 0);
  assert.equal(passed(one, "b", 10), 10);
  for (const client of clients) client.disconnect();
});

test("what was too much between two exchanges is a debt of all", async () => {
  await using redis = await startSingleRedis();
  const client = clientOf(redis.url);
  const meters = Array.from({ length: 3 }, () => meterOver(client));
  for (const meter of meters) assert.equal(passed(meter, "a", 100), 100);
  for (const meter of meters) await meter.exchange(now);
  // Three periods' worth was taken: the last to ask waits for two of them.
  const wait = (meters.at(-1) as SharedMeter).take("a", now());
  assert.ok(wait > 110_000 && wait <= 121_000, `${wait} ms`);
  client.disconnect();
});

test("keys tell nobody's address, and go by themselves", async () => {
  await using redis = await startSingleRedis();
  const client = clientOf(redis.url);
  const meter = meterOver(client);
  passed(meter, "192.0.2.66", 3);
  await meter.exchange(now);
  const keys = await client.keys("*");
  assert.equal(keys.length, 1);
  assert.match(keys[0] ?? "", /^ac:l:[\w-]{24}$/);
  const left = await client.pttl(keys[0] ?? "");
  assert.ok(left > 0 && left <= 1801, `${left} ms`);
  client.disconnect();
});

test("while Redis is away each holds to the rate by itself, and tells it later", async () => {
  await using redis = await startSingleRedis("always");
  const client = clientOf(redis.url);
  await once(client, "ready");
  const meter = meterOver(client, 500);
  await redis.node.kill();
  assert.equal(passed(meter, "a", 60), 60);
  await meter.exchange(now);
  assert.equal(passed(meter, "a", 60), 40);
  await redis.node.restart();
  while (client.status !== "ready") await once(client, "ready");
  await meter.exchange(now);
  const other = meterOver(client);
  assert.equal(passed(other, "a", 1), 1);
  await other.exchange(now);
  assert.equal(passed(other, "a", 10), 0);
  client.disconnect();
});

test("processes exchange by themselves until they stop", async () => {
  await using redis = await startSingleRedis();
  const client = clientOf(redis.url);
  const shares = createRedisShares(client, { prefix: "ac:l:", timeout: 5000 });
  const exchanges = [startExchange(shares, now), startExchange(shares, now)];
  const meters = exchanges.map((exchange) => exchange.meterOf("creates", rate));
  let admitted = 0;
  for (let refused = 0; refused < 20; ) {
    for (const meter of meters) {
      if (meter.take("a", now()) === 0) admitted++;
      else refused++;
    }
    await delay(10);
  }
  // What flowed out meanwhile, and what both let through between two exchanges.
  assert.ok(admitted >= 100 && admitted <= 130, `${admitted} got through`);
  for (const exchange of exchanges) exchange.close();
  client.disconnect();
});

test("a cluster keeps the buckets on all of its primaries", async () => {
  await using redis = await startRedisCluster();
  const { hostname, port } = new URL(redis.url.split(",")[0] ?? "");
  const client = new Cluster([{ host: hostname, port: Number(port) }]);
  const [one, other] = [meterOver(client), meterOver(client)];
  for (let i = 0; i < 50; i++) passed(one, `caller ${i}`, 100);
  await one.exchange(now);
  for (let i = 0; i < 50; i++) passed(other, `caller ${i}`, 1);
  await other.exchange(now);
  for (let i = 0; i < 50; i++) assert.equal(passed(other, `caller ${i}`, 10), 0);
  client.disconnect();
});
