// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startSentinelRedis } from "../../support/redis/sentinel.ts";
import { openRedisAt } from "../../support/redis/store.ts";

test("a primary that becomes silent is left when the sentinels name another, and not used again when it wakes up", async () => {
  // Longer than a busy machine stands still, so that the sentinels replace no other primary.
  await using redis = await startSentinelRedis({ downAfter: 3000 });
  const store = await eventually(() => openRedisAt(redis.url, { timeout: 500 }));
  try {
    const first = await redis.primary();
    const other = redis.nodes.find((node) => node !== first);
    const addSecret = () => store.addSecret({ bytes: new Uint8Array(32).fill(1), createdAt: Date.now() });
    first.pause();
    await eventually(addSecret, 90_000);
    first.resume();
    const count = async () => Number(await other?.command("LLEN", "ac:{fixed}secrets"));
    const before = await count();
    await eventually(addSecret);
    assert.ok((await count()) > before);
  } finally {
    await store.close();
  }
});
