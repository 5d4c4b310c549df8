// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createSharedRateLimiter,
  type SharedCounters,
  type SharedRateLimiter,
  startUsageSync,
} from "../../src/limits/shared-rate-limiter.ts";
import type { RedisPlace } from "../../src/store/redis/connection/place.ts";
import { openRedisCounters, type RedisCounters } from "../../src/store/redis/shared-counters.ts";
import { until } from "../support/eventually.ts";
import { startRedisCluster } from "../support/redis/cluster.ts";
import { startSingleRedis } from "../support/redis/single.ts";

/** So slow that the buckets do not drain while a test runs, even on a busy machine. */
const rate = { count: 100, period: 6_000_000 };
const MS_PER_REQUEST = rate.period / rate.count;
const now = () => performance.now();

/** Opens the counters that processes share, as one process does. Exchanges fail after `timeout` ms. */
function sharesOf(kind: RedisPlace["kind"], hosts: RedisPlace["hosts"], timeout = 30_000): Promise<RedisCounters> {
  const place = {
    kind,
    hosts: hosts.map(({ host, port }) => ({ host, port })),
    name: undefined,
    username: undefined,
    password: undefined,
    database: 0,
    isTls: false,
    caFile: undefined,
    certFile: undefined,
    keyFile: undefined,
    sentinelUsername: undefined,
    sentinelPassword: undefined,
  };
  return openRedisCounters({ place, prefix: "ac:", openTimeout: 30_000, timeout });
}

const limiterOver = (shares: SharedCounters) => createSharedRateLimiter("creates", rate, shares);

/** Returns how many of `attempts` are admitted. */
function passed(limiter: SharedRateLimiter, subject: string, attempts: number): number {
  const waits = Array.from({ length: attempts }, () => limiter.take(subject, now()));
  return waits.filter((wait) => wait === 0).length;
}

test("after an exchange a process knows what others have admitted", async () => {
  await using redis = await startSingleRedis();
  const processes = [await sharesOf("single", [redis.node]), await sharesOf("single", [redis.node])] as const;
  const [one, other] = [limiterOver(processes[0]), limiterOver(processes[1])];
  assert.equal(passed(one, "a", 60), 60);
  await one.exchange(now);
  // The other process learns of the usage in the exchange after its own first request.
  assert.equal(passed(other, "a", 1), 1);
  await other.exchange(now);
  assert.equal(passed(other, "a", 100), 39);
  await other.exchange(now);
  assert.equal(passed(one, "a", 1), 1, "it has not asked since");
  await one.exchange(now);
  assert.equal(passed(one, "a", 10), 0);
  assert.equal(passed(one, "b", 10), 10);
  for (const shares of processes) shares.close();
});

test("if processes together admit too many between two exchanges, all of them then wait", async () => {
  await using redis = await startSingleRedis();
  const shares = await sharesOf("single", [redis.node]);
  const limiters = Array.from({ length: 3 }, () => limiterOver(shares));
  for (const limiter of limiters) assert.equal(passed(limiter, "a", 100), 100);
  for (const limiter of limiters) await limiter.exchange(now);
  // Three times the rate was taken, so the last process waits for two periods.
  const wait = (limiters.at(-1) as SharedRateLimiter).take("a", now());
  assert.ok(wait > 1.8 * rate.period && wait <= 2.02 * rate.period, `${wait} ms`);
  shares.close();
});

test("key names contain no addresses, and keys expire", async () => {
  await using redis = await startSingleRedis();
  const shares = await sharesOf("single", [redis.node]);
  const limiter = limiterOver(shares);
  passed(limiter, "192.0.2.66", 3);
  await limiter.exchange(now);
  const keys = (await redis.node.command("KEYS", "*")) as string[];
  assert.equal(keys.length, 1);
  assert.match(keys[0] ?? "", /^ac:l:[\w-]{18}$/);
  const left = Number(await redis.node.command("PTTL", keys[0] ?? ""));
  assert.ok(left > 0 && left <= 3 * MS_PER_REQUEST + 1, `${left} ms`);
  shares.close();
});

test("while Redis is away each process limits by itself, and sends its usage later", async () => {
  await using redis = await startSingleRedis("always");
  const shares = await sharesOf("single", [redis.node]);
  const limiter = limiterOver(shares);
  await redis.node.kill();
  assert.equal(passed(limiter, "a", 60), 60);
  await limiter.exchange(now);
  assert.equal(passed(limiter, "a", 60), 40);
  await redis.node.restart();
  const other = limiterOver(shares);
  await until("both know of both", async () => {
    await limiter.exchange(now);
    passed(other, "a", 1);
    await other.exchange(now);
    return passed(other, "a", 1) === 0;
  });
  assert.ok(other.take("a", now()) > MS_PER_REQUEST, "what was taken in the outage is known");
  shares.close();
});

test("a Redis that stalls for a while counts nothing twice when it continues", async () => {
  await using redis = await startSingleRedis();
  const [shares, others] = [await sharesOf("single", [redis.node], 500), await sharesOf("single", [redis.node])];
  const [limiter, other] = [limiterOver(shares), limiterOver(others)];
  // Loads the script into Redis.
  passed(other, "b", 1);
  await other.exchange(now);
  assert.equal(passed(limiter, "a", 30), 30);
  redis.node.pause();
  for (let i = 0; i < 3; i++) await limiter.exchange(now);
  redis.node.resume();
  const buckets = async () => ((await redis.node.command("KEYS", "ac:l:*")) as string[]).length;
  await until("Redis has carried out what it got in the stall", async () => (await buckets()) === 2);
  passed(other, "a", 1);
  await other.exchange(now);
  const more = passed(other, "a", 100);
  assert.ok(more >= 69 && more <= 72, `${more} were left of the 69 and what flowed out`);
  shares.close();
  others.close();
});

test("processes exchange usage until they are closed", async () => {
  await using redis = await startSingleRedis();
  const shares = await sharesOf("single", [redis.node]);
  const exchanges = [startUsageSync(shares, now), startUsageSync(shares, now)] as const;
  const many = { count: 2000, period: 6_000_000 };
  const [one, other] = [exchanges[0].limiterOf("creates", many), exchanges[1].limiterOf("creates", many)];
  for (const [subject, first, second] of [
    ["a", one, other],
    ["b", other, one],
  ] as const) {
    for (let i = 0; i < many.count; i++) assert.equal(first.take(subject, now()), 0);
    let admitted = 0;
    await until("the other one learns of it", () => second.take(subject, now()) > 0 || ++admitted < 0);
    assert.ok(admitted < many.count, "it refused only what it admitted itself");
  }
  for (const exchange of exchanges) exchange.close();
  shares.close();
});

test("a cluster spreads the buckets over all of its primaries", async () => {
  await using redis = await startRedisCluster({ nodeTimeout: 20_000 });
  const shares = await sharesOf("cluster", redis.nodes);
  const [one, other] = [limiterOver(shares), limiterOver(shares)];
  for (let i = 0; i < 50; i++) passed(one, `caller ${i}`, 100);
  await one.exchange(now);
  for (let i = 0; i < 50; i++) passed(other, `caller ${i}`, 1);
  await other.exchange(now);
  for (let i = 0; i < 50; i++) assert.equal(passed(other, `caller ${i}`, 10), 0);
  shares.close();
});
