// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { StoreOpenError } from "../../src/store/open-error.ts";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";
import { serve } from "../support/in-process.ts";
import { startRedis } from "../support/redis/node.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/* Errors name commands that the user may not run or that Redis does not have, even if a script runs them. */

function serveOn(url: string, more: Partial<Config> = {}) {
  return serve({ config: { store: parseStoreUrl(url) as StoreUrl, ...more } });
}

test("a right that a running server loses is named, a half-made change is reported, and the server continues when the right is back", async () => {
  await using redis = await startSingleRedis();
  await using server = await serveOn(redis.url);
  const api = createApi(server.url);
  const headers = { gkc_customerId: "c" };
  sessionOf(await api.create({ headers }));
  await redis.node.command("ACL", "SETUSER", "default", "-xadd");
  // The script has already stored the session, so the outcome of the change is unknown.
  const refused = problemOf(await api.create({ headers }), 503, "unavailable");
  assert.equal((refused as { outcome?: string }).outcome, "unknown");
  assert.match(server.log(), /"the store does not take writes"/);
  assert.match(server.log(), /NOPERM: the user of Redis has no right to run XADD; see the least rights/);
  assert.doesNotMatch(server.log(), /"defect"/);
  await redis.node.command("ACL", "SETUSER", "default", "+xadd");
  sessionOf(await api.create({ headers }));
});

test("an act that is done and cannot be entered in the audit trail has an unknown outcome", async () => {
  await using redis = await startSingleRedis();
  await using server = await serveOn(redis.url);
  const api = createApi(server.url);
  const headers = { gkc_customerId: "c" };
  const { sessionId } = sessionOf(await api.create({ headers }));
  await redis.node.command("ACL", "SETUSER", "default", "resetkeys", "~ac:?:*", "~ac:{fixed}[^a]*");
  const refused = problemOf(await api.call("POST", "/sessions/end", { json: { customerId: "c" } }), 503, "unavailable");
  assert.equal((refused as { outcome?: string }).outcome, "unknown");
  await redis.node.command("ACL", "SETUSER", "default", "allkeys");
  assert.equal((await api.call("HEAD", `/sessions/${sessionId}`)).status, 404, "the session has ended");
});

test("acts do not wait for the timeouts of each other while Redis does not answer", async () => {
  await using redis = await startSingleRedis();
  const redisTimeout = 1000;
  // On a busy machine an attempt can take longer than the server waits for Redis.
  await using server = await eventually(() => serveOn(redis.url, { redisTimeout }));
  const api = createApi(server.url);
  await eventually(async () => sessionOf(await api.create({ headers: { gkc_customerId: "c" } })));
  redis.node.pause();
  try {
    const began = performance.now();
    const acts = Array.from({ length: 40 }, () => api.call("POST", "/sessions/end", { json: { customerId: "c" } }));
    for (const response of await Promise.all(acts)) problemOf(response, 503, "unavailable");
    assert.ok(performance.now() - began < acts.length * redisTimeout, "as long as one after the other");
  } finally {
    redis.node.resume();
  }
  const end = async () => (await api.call("POST", "/sessions/end", { json: { customerId: "c" } })).status;
  await eventually(async () => assert.equal(await end(), 200));
});

test("the log has one line, not two for each change, while some changes fail and others do not", async () => {
  await using redis = await startSingleRedis();
  await using server = await serveOn(redis.url);
  const api = createApi(server.url);
  const headers = { gkc_customerId: "c" };
  const { sessionId } = sessionOf(await api.create({ headers }));
  await redis.node.command("ACL", "SETUSER", "default", "-xrevrange");
  const json = [{ method: "GET", path: "/", status: 200, startedAt: new Date(), durationMs: 1 }];
  const path = `/sessions/${sessionId}/requests?durable=true`;
  for (let i = 0; i < 10; i++) {
    problemOf(await api.call("POST", path, { json }), 503, "unavailable");
    sessionOf(await api.create({ headers }));
  }
  const count = (text: string) => server.log().split(`"${text}"`).length - 1;
  assert.equal(count("the store does not take writes"), 1);
  assert.equal(count("the store takes writes again"), 0);
});

test("a command that Redis does not have is named at the start, without advice on addresses", async () => {
  for (const name of ["EVALSHA", "TIME", "LRANGE", "SELECT"]) {
    await using directory = temporaryDirectory();
    await using node = await startRedis({
      host: "127.0.0.1",
      port: await freePort(),
      dir: directory.path,
      settings: [["rename-command", name, ""]],
    });
    await assert.rejects(openRedisAt(`redis://127.0.0.1:${node.port}/1`), (error) => {
      assert.ok(error instanceof StoreOpenError && error.fault === "inaccessible");
      const { message } = error;
      assert.match(message, new RegExp(`does not know the command ${name}; it is renamed`));
      assert.doesNotMatch(message, /check that it runs/);
      return true;
    });
  }
});

test("a refused password is reported without advice on addresses", async () => {
  await using redis = await startSingleRedis();
  const url = redis.url.replace("//", "//nobody:wrong@");
  await assert.rejects(
    openRedisAt(url),
    /cannot be used: WRONGPASS: Redis refuses the user or the password; check both in store/,
  );
});
