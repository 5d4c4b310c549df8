// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { Refusal } from "../../src/session/errors.ts";
import type { Session } from "../../src/session/session.ts";
import { RedisFault } from "../../src/store/redis/connection/faults.ts";
import { createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { draft } from "../support/redis/changes.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { collectStores } from "../support/redis/store.ts";

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});
const { open, closeAll } = collectStores();
after(async () => {
  await closeAll();
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

test("without memory Redis refuses new sessions for this reason, and the ids count as unused", async () => {
  const store = await open(redis.url);
  await redis.node.command("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction");
  const sessions = [draft({ customerId: "c" }), draft({ agentId: "a" })];
  const attempt = (session: Session) =>
    assert.rejects(store.create(session, Date.now()), (error) => {
      assert.ok(error instanceof Refusal && error.cause instanceof RedisFault);
      assert.equal(error.cause.code, "OOM");
      return true;
    });
  for (const session of sessions) await attempt(session);
  // Sessions that are created at the same time are stored by one script call.
  await Promise.all(sessions.map(attempt));
  await redis.node.command("CONFIG", "SET", "maxmemory", "0");
  for (const session of sessions) assert.deepEqual(await store.create(session, Date.now()), { outcome: "created" });
});
