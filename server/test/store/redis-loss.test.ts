// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { StoreOpenError } from "../../src/store/open-error.ts";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { unheard } from "../support/store-events.ts";

/*
 * Servers notice that Redis has lost its data. Processes never sign session ids with different secrets.
 */

/** Is logged when a server stops answering, and not when one request finds that the data are gone. */
const suspended = /data in Redis is gone .* all requests are answered with 503/;

const [STATE, SECRETS, KEYS] = ["ac:{fixed}state", "ac:{fixed}secrets", "ac:{fixed}keys"] as const;

function over(url: string) {
  return { store: parseStoreUrl(url) as StoreUrl };
}

async function isReady({ url }: TestServer): Promise<boolean> {
  return (await createApi(url).call("GET", "/readyz")).status === 200;
}

async function create({ url }: TestServer, customerId = ""): Promise<string> {
  const headers = { gkc_customerId: customerId };
  return sessionOf(await createApi(url).create({ headers })).sessionId;
}

/** Waits for two heartbeats, in which the server reads the current data. */
async function twoHeartbeats({ node }: SingleRedis): Promise<void> {
  const servedAt = async () => Number(await node.command("HGET", STATE, "served"));
  const before = await servedAt();
  await eventually(async () => assert.ok((await servedAt()) > before + 1000));
}

/** Asserts that each of two servers accepts the ids that the other one issues. */
async function shareTheirSecret(one: TestServer, other: TestServer): Promise<void> {
  for (const [from, to] of [[one, other] as const, [other, one] as const]) {
    const id = await create(from);
    assert.equal(sessionOf(await createApi(to.url).retrieve(id)).sessionId, id);
  }
}

test("after a flush a server refuses every request, and after a restart all servers share one secret", async () => {
  await using redis = await startSingleRedis();
  await using first = await serve({ config: over(redis.url) });
  const [known, blank] = [await create(first, "c"), await create(first)];
  await redis.node.command("FLUSHALL");
  await eventually(async () => assert.equal(await isReady(first), false));
  await eventually(async () => assert.match(first.log(), suspended));

  await using second = await serve({ config: over(redis.url) });
  const api = createApi(first.url);
  for (const response of [
    await api.create(),
    await api.create({ headers: { gkc_customerId: "c" } }),
    await api.retrieve(known),
    await api.retrieve(blank),
    await api.retrieve(await create(second)),
    await api.update(known, { json: { visitId: "v" } }),
  ]) {
    problemOf(response, 503, "unavailable");
  }
  assert.equal(await isReady(first), false);
  assert.equal(await isReady(second), true);
  // The id of the recognized session is now unknown.
  const anew = sessionOf(await createApi(second.url).retrieve(known));
  assert.notEqual(anew.sessionId, known);
  await first.restart();
  await shareTheirSecret(first, second);
});

test("after a flush callers with a key get 503 instead of a response that their key is invalid", async () => {
  await using redis = await startSingleRedis();
  const { key, bearer } = keyFor({ role: "administrator" });
  await using server = await serve({ config: { ...over(redis.url), auth: "key" }, keys: [key] });
  const api = createApi(server.url, { authorization: bearer });
  sessionOf(await api.create());
  await redis.node.command("FLUSHALL");
  await eventually(async () => assert.match(server.log(), suspended));
  assert.equal(await isReady(server), false);
  const until = performance.now() + 1500;
  while (performance.now() < until)
    problemOf(await api.create({ headers: { gkc_customerId: "c" } }), 503, "unavailable");
});

test("if the data come back, they are used again with the same API keys and secrets", async () => {
  await using redis = await startSingleRedis("always");
  await using server = await serve({ config: over(redis.url) });
  const id = await create(server, "c");
  const api = createApi(server.url);
  await redis.node.command("SWAPDB", 0, 1);
  await eventually(async () => assert.match(server.log(), suspended));
  await redis.node.command("SWAPDB", 0, 1);
  await eventually(async () => assert.equal(await isReady(server), true));
  const headers = { gkc_customerId: "c" };
  assert.equal(sessionOf(await api.retrieve(id, { headers })).sessionId, id);
  assert.match(server.log(), /data in Redis is back/);
});

test("nothing is written to a Redis that comes back empty", async () => {
  await using redis = await startSingleRedis("none");
  await using server = await serve({ config: over(redis.url) });
  const api = createApi(server.url);
  const headers = { gkc_customerId: "c" };
  sessionOf(await api.create({ headers }));
  const stop = new AbortController();
  const requests = (async () => {
    while (!stop.signal.aborted) await api.create({ headers });
  })();
  await redis.node.restart();
  await eventually(async () => assert.match(server.log(), suspended));
  stop.abort();
  await requests;
  assert.equal(await redis.node.command("DBSIZE"), 0);
});

test("evicted state or secrets are restored by a process that has them", async () => {
  await using redis = await startSingleRedis();
  await using first = await serve({ config: over(redis.url) });
  await using second = await serve({ config: over(redis.url) });
  const id = await create(first, "c");
  const secrets = await redis.node.command("LRANGE", SECRETS, 0, -1);
  for (const name of [SECRETS, STATE]) {
    await redis.node.command("DEL", name);
    await eventually(async () => assert.equal(await redis.node.command("EXISTS", name), 1));
    await eventually(async () => assert.ok((await isReady(first)) && (await isReady(second))));
    assert.deepEqual(await redis.node.command("LRANGE", SECRETS, 0, -1), secrets);
    await shareTheirSecret(first, second);
  }
  const headers = { gkc_customerId: "c" };
  assert.equal(sessionOf(await createApi(second.url).retrieve(id, { headers })).sessionId, id);
  const log = first.log() + second.log();
  for (const what of ["secrets", "state"]) assert.match(log, new RegExp(`the ${what} (was|were) missing`));
});

test("evicted API keys are restored before a caller with such a key is refused", async () => {
  await using redis = await startSingleRedis();
  const { key, bearer } = keyFor({ role: "administrator" });
  const config = { ...over(redis.url), auth: "key" as const };
  await using first = await serve({ config, keys: [key] });
  await using second = await serve({ config });
  const servers = [first, second];
  const before = await redis.node.command("HGETALL", KEYS);
  for (const others of [[], [STATE], [SECRETS]]) {
    await redis.node.command("DEL", KEYS, ...others);
    await eventually(async () => assert.deepEqual(await redis.node.command("HGETALL", KEYS), before));
  }
  assert.match(servers.map((server) => server.log()).join(), /API keys were missing in Redis/);
  // Adding a key makes every process read all keys again.
  const later = keyFor({ role: "administrator" });
  const store = await openRedisAt(redis.url);
  await store.addApiKey(later.key);
  await store.close();
  await eventually(async () => {
    for (const { url } of servers) sessionOf(await createApi(url, { authorization: later.bearer }).create());
  });
  for (const { url } of servers) sessionOf(await createApi(url, { authorization: bearer }).create());
});

test("API keys that were erased or revoked meanwhile are not restored", async () => {
  await using redis = await startSingleRedis();
  const store = await openRedisAt(redis.url, { purpose: "serve" });
  try {
    const [gone, kept] = [keyFor({ role: "customer", customerId: "c" }), keyFor({})];
    await store.addApiKey(gone.key);
    await store.addApiKey(kept.key);
    assert.equal(await store.eraseCustomerApiKeys("c", "hash", Date.now()), 1);
    assert.equal(await store.revokeApiKey(kept.key.id, Date.now()), true);
    await twoHeartbeats(redis);
    await redis.node.command("HDEL", KEYS, kept.key.id);
    await eventually(async () => assert.equal(await redis.node.command("HLEN", KEYS), 1));
    const [only] = await store.listApiKeys();
    assert.equal(only?.id, kept.key.id);
    assert.notEqual(only?.revokedAt, null);
  } finally {
    await store.close();
  }
});

test("missing entries of the audit trail are reported", async () => {
  await using redis = await startSingleRedis();
  await using server = await serve({ config: over(redis.url) });
  const api = createApi(server.url);
  assert.equal((await api.call("GET", "/sessions?customerId=c")).status, 200);
  const end = { json: { customerId: "c" } };
  assert.equal((await api.call("POST", "/sessions/end", end)).status, 200);
  assert.equal(await redis.node.command("EXISTS", "ac:{fixed}audit"), 1);
  await twoHeartbeats(redis);
  await redis.node.command("DEL", "ac:{fixed}audit");
  await eventually(async () => assert.match(server.log(), /entries of the audit trail are miss/));
  assert.equal(await isReady(server), true);
});

test("a start does not make a new secret if sessions may use the missing one", async () => {
  await using redis = await startSingleRedis();
  await (await openRedisAt(redis.url)).close();
  await redis.node.command("DEL", SECRETS);
  await assert.rejects(openRedisAt(redis.url), (error) => {
    assert.ok(error instanceof StoreOpenError && error.fault === "incomplete");
    assert.match(error.message, /\{fixed\}secrets is missing/);
    return true;
  });
  assert.equal(await redis.node.command("EXISTS", SECRETS), 0);
});

test("an older copy of the data is reported, and every process reads the API keys and secrets again", async () => {
  await using redis = await startSingleRedis();
  const notices: string[] = [];
  let changes = 0;
  const events = {
    ...unheard,
    noticed: (_level: string, text: string) => void notices.push(text),
    credentialsChanged: () => void changes++,
  };
  const store = await openRedisAt(redis.url, { events });
  // The first process to notice the loss reports it, and makes the other one read everything again.
  const other = await openRedisAt(redis.url, { events: { ...unheard, noticed: events.noticed } });
  try {
    const earlier = await store.listSecrets();
    const state = (await redis.node.command("HGETALL", STATE)) as string[];
    await store.addSecret({ bytes: new Uint8Array(32).fill(1), createdAt: Date.now() });
    await eventually(async () => assert.equal(changes, 1));
    const restore =
      "redis.call('LPOP', KEYS[2]) redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'revision', 0, unpack(ARGV))";
    const fields = Array.isArray(state) ? state : Object.entries(state).flat();
    await redis.node.command("EVAL", restore, 2, STATE, SECRETS, ...fields.map(String));
    await eventually(async () => assert.match(String(notices), /is an older copy/));
    await eventually(async () => assert.ok(changes > 1));
    assert.deepEqual(await store.listSecrets(), earlier);
    assert.deepEqual(await other.listSecrets(), earlier);
    await store.advanceClock(Date.now());
  } finally {
    await store.close();
    await other.close();
  }
});
