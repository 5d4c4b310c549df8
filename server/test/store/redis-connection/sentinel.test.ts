// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startSentinelRedis } from "../../support/redis/sentinel.ts";
import { openRedisAt } from "../../support/redis/store.ts";

test("a primary that becomes silent is left when the sentinels name another, and not used again when it wakes up", async () => {
  await using redis = await startSentinelRedis({ downAfter: 300 });
  const store = await openRedisAt(redis.url, { timeout: 500 });
  try {
    const first = await redis.primary();
    const [, replica] = redis.nodes;
    first.pause();
    const addSecret = () => store.addSecret({ bytes: new Uint8Array(32).fill(1), createdAt: Date.now() });
    await eventually(addSecret);
    first.resume();
    await addSecret();
    const name = "ac:{fixed}secrets";
    assert.equal(await replica?.command("LLEN", name), (await store.listSecrets()).length);
  } finally {
    await store.close();
  }
});
