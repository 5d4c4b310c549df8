// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});
after(async () => {
  await redis[Symbol.asyncDispose]();
});

function over(url: string, redisPrefix: string) {
  return { store: parseStoreUrl(url) as StoreUrl, redisPrefix };
}

/** Counts the log lines that contain the text. */
function times(log: string, text: RegExp): number {
  return log.split("\n").filter((line) => text.test(line)).length;
}

test("without the right to run INFO there is no metric for the memory of Redis, and one log line says so", async () => {
  await redis.node.command("ACL", "SETUSER", "silent", "on", ">p", "~*", "+@all", "-info");
  await using server = await serve({ config: over(redis.url.replace("//", "//silent:p@"), "a:") });
  const api = createApi(server.url);
  sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  assert.equal((await api.call("GET", "/readyz")).status, 200);
  const { text } = await api.call("GET", "/metrics");
  assert.match(text, /^antechamber_store_writable 1$/m);
  assert.doesNotMatch(text, /^antechamber_store_size_bytes \S/m);
  assert.equal(times(server.log(), /may not run INFO/), 1);
});

test("a start warns if Redis may evict sessions, and otherwise does not", async () => {
  const settings = [
    ["0", "allkeys-lru", 0],
    ["200mb", "volatile-ttl", 1],
    ["200mb", "noeviction", 0],
  ] as const;
  for (const [maxmemory, policy, warnings] of settings) {
    const words = ["maxmemory", maxmemory, "maxmemory-policy", policy];
    await redis.node.command("CONFIG", "SET", ...words);
    await using server = await serve({ config: over(redis.url, "b:") });
    const text = new RegExp(`"level":40.*maxmemory-policy ${policy}`);
    assert.equal(times(server.log(), text), warnings, policy);
    assert.match((await createApi(server.url).call("GET", "/metrics")).text, /^antechamber_store_size_bytes [1-9]/m);
  }
});
