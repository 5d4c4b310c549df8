// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { parseStoreUrl, type StoreUrl } from "../../src/config/store-url.ts";
import { handleOf } from "../../src/session/id.ts";
import { createAdmission } from "../../src/store/redis/connection/admission.ts";
import { openConnection } from "../../src/store/redis/connection/open-connection.ts";
import { slotOf } from "../../src/store/redis/connection/slots.ts";
import { Engine } from "../../src/store/redis/engine.ts";
import { addSecrets } from "../../src/store/redis/globals/credentials.ts";
import { ShardWatch } from "../../src/store/redis/globals/shard-watch.ts";
import { heartbeat, initStore } from "../../src/store/redis/globals/store-state.ts";
import { indexHash, placeOf } from "../../src/store/redis/index/index-entry.ts";
import { shardTags, tagOf } from "../../src/store/redis/layout/shards.ts";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { runHere } from "../support/command-line.ts";
import { eventually, until } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { stateOf } from "../support/redis/cluster-state.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { redisOptions } from "../support/redis/store.ts";
import { unheard } from "../support/store-events.ts";

/*
 * Servers notice that a primary of a cluster has lost its data, and nothing else raises an alarm. The cluster is shared; in
 * it, each test has a store of its own by its prefix. The last three tests lose data of all stores.
 */

let cluster: RedisCluster;
before(async () => {
  cluster = await startRedisCluster({ nodeTimeout: 20_000 });
});
after(() => cluster[Symbol.asyncDispose]());

function nodeOf(key: string): Promise<RedisNode> {
  return cluster.primaryOf(slotOf(key));
}

async function command(name: string, key: string, ...words: (string | number)[]): Promise<unknown> {
  return (await nodeOf(key)).command(name, key, ...words);
}

/** Returns whether every shard of the store with this prefix has a marker. */
async function areMarked(prefix: string): Promise<boolean> {
  const states = await Promise.all(cluster.nodes.map(stateOf));
  const primaries = states.filter(({ isPrimary }) => isPrimary);
  const found = await Promise.all(primaries.map(({ node }) => node.command("KEYS", `${prefix}m:*`)));
  return (found as string[][]).flat().length === shardTags.length;
}

/** A process that watches the shards, with heartbeats and a clock of Redis that the test controls. */
interface Process extends AsyncDisposable {
  /** Sends a heartbeat `afterMs` after the one before, and waits for the end of its check. */
  beat(afterMs?: number): Promise<void>;
  /** Replaces the secrets by one of another store, as an import does. */
  importSecret(): Promise<void>;
  /** Errors that it has logged. */
  readonly errors: string[];
  readonly lostShards: () => number;
  readonly isAlarmed: () => boolean;
  /** Key name of the marker of a shard. */
  readonly marker: (tag: string) => string;
}

async function startProcess(prefix: string): Promise<Process> {
  const errors: string[] = [];
  const noticed = (_level: string, message: string) => void errors.push(message);
  const options = redisOptions(cluster.url, { prefix, purpose: "serve", events: { ...unheard, noticed } });
  const ignore = () => undefined;
  const connection = await openConnection({ ...options, isRepeatable: true, failed: ignore, waiting: ignore });
  const engine = new Engine(connection, createAdmission(1000, options.events), options);
  await initStore(engine.begin());
  const watch = new ShardWatch(engine);
  let now = Date.now();
  await watch.start(await heartbeat(engine.begin()));
  return {
    async beat(afterMs = 500) {
      now += afterMs;
      connection.refresh();
      const pulse = { ...(await heartbeat(engine.begin())), serverTime: now };
      await watch.follow(pulse);
      watch.check(pulse, pulse.oldestSecret);
      await watch.close();
    },
    importSecret: () =>
      addSecrets(engine.begin(), [{ base64: Buffer.alloc(32, 1).toString("base64"), createdAt: 1 }], true),
    errors,
    lostShards: () => engine.losses.count,
    isAlarmed: () => watch.isAlarmed,
    marker: engine.keys.marker,
    async [Symbol.asyncDispose]() {
      await watch.close();
      connection.close();
    },
  };
}

/** Starts processes on a new store, and waits until all shards have markers. */
async function startMarked(prefix: string): Promise<[Process, Process]> {
  const processes = [await startProcess(prefix), await startProcess(prefix)] as const;
  for (const afterMs of [500, 500, 10_000, 500]) {
    for (const process of processes) await process.beat(afterMs);
  }
  assert.equal(await command("HGET", `${prefix}{fixed}state`, "marked"), "1");
  return [...processes];
}

/** Sends heartbeats until the process has read the markers of all shards, in no time. */
async function readAll(process: Process): Promise<void> {
  // Each second heartbeat reads one of each primary, of which none has more than 128 of 256 shards.
  for (let i = 0; i < shardTags.length; i++) await process.beat(0);
}

test("markers that are missing in a new store are set, and are no loss", async () => {
  await using process = await startProcess("new:");
  const { marker } = process;
  const someTag = shardTags[0] as string;
  await process.beat();
  assert.ok(await areMarked("new:"));
  // A failover may lose a marker that was just set.
  await command("DEL", marker(someTag));
  await readAll(process);
  assert.equal(await command("EXISTS", marker(someTag)), 1);
  assert.deepEqual([process.errors, process.lostShards()], [[], 0]);
});

test("after an import with other secrets, the markers are set anew, and are no loss", async () => {
  await using stack = new AsyncDisposableStack();
  const [process, other] = await startMarked("import:");
  stack.use(process);
  stack.use(other);
  const marker = process.marker(shardTags[0] as string);
  const earlier = await command("GET", marker);
  await process.importSecret();
  await readAll(process);
  assert.notEqual(String(await command("GET", marker)).split(" ")[0], String(earlier).split(" ")[0]);
  await process.beat(10_000);
  assert.equal(await command("HGET", "import:{fixed}state", "marked"), "1");
  await readAll(other);
  assert.deepEqual([process.errors, other.errors], [[], []]);
});

test("moved slots, a failover and a replica that is a little behind are no loss", async () => {
  await using stack = new AsyncDisposableStack();
  const [process, other] = await startMarked("moved:");
  stack.use(process);
  stack.use(other);
  const primaries = cluster.nodes.slice(0, 3);
  const tags = shardTags.filter((_, i) => i % 16 === 0);
  for (const tag of tags) {
    const key = process.marker(tag);
    const from = await nodeOf(key);
    const to = primaries[(primaries.indexOf(from) + 1) % 3] as RedisNode;
    const moving = cluster.moveSlots([slotOf(key)], to);
    await process.beat();
    await moving;
  }
  // A failover loses the last change of the markers.
  const earlier = await Promise.all(tags.map((tag) => command("GET", process.marker(tag))));
  await process.beat(61_000);
  await readAll(process);
  for (const [i, tag] of tags.entries()) {
    assert.notEqual(await command("GET", process.marker(tag)), earlier[i]);
    await command("SET", process.marker(tag), String(earlier[i]));
  }
  await failOver(primaries[0] as RedisNode);
  await readAll(process);
  await readAll(other);
  assert.deepEqual([process.errors, other.errors, process.lostShards()], [[], [], 0]);
});

test("lost, evicted and foreign markers are reported once by each process, and set again", async () => {
  await using stack = new AsyncDisposableStack();
  const [process, other] = await startMarked("gone:");
  stack.use(process);
  stack.use(other);
  const state = "gone:{fixed}event-state";
  await command("HSET", state, "live", 1000);
  const [first, ...lost] = shardTags.slice(0, 64) as [string, ...string[]];
  for (const tag of lost) await command("DEL", process.marker(tag));
  await command("SET", process.marker(first), "another-id 1796000000000");
  const processes = [process, other];
  for (let i = 0; i < 200 && processes.some(({ errors }) => errors.length === 0); i++) {
    await Promise.all(processes.map((one) => one.beat()));
  }
  for (const { errors, lostShards, isAlarmed } of processes) {
    assert.equal(errors.length, 1);
    assert.match(String(errors), /the data of 64 of 256 shards in Redis \(25 % of the sessions\) is gone/);
    assert.deepEqual([lostShards(), isAlarmed()], [64, false]);
  }
  assert.ok(await areMarked("gone:"));
  assert.equal(await command("HGET", state, "live"), "750");
  await readAll(process);
  await readAll(other);
  assert.deepEqual([process.errors.length, other.errors.length], [1, 1]);
  // A process that starts later shows the loss and does not log it again.
  await using later = await startProcess("gone:");
  await readAll(later);
  assert.deepEqual([later.errors, later.lostShards()], [[], 64]);
  await later.beat(24 * 60 * 60 * 1000);
  assert.equal(later.lostShards(), 0);
});

test("an older copy of the data of a node is reported", async () => {
  await using stack = new AsyncDisposableStack();
  const [process, other] = await startMarked("older:");
  stack.use(process);
  stack.use(other);
  const tags = shardTags.slice(100, 110);
  const copies = await Promise.all(tags.map((tag) => command("GET", process.marker(tag))));
  // The copy lacks two changes of each marker that the process has read, and the third, which it has made.
  for (let i = 0; i < 3; i++) {
    await process.beat(61_000);
    await readAll(process);
  }
  for (const [i, tag] of tags.entries()) await command("SET", process.marker(tag), String(copies[i]));
  await readAll(process);
  await readAll(other);
  const [message, ...more] = process.errors;
  assert.match(String(message), /the data of 10 of 256 shards .* is an older copy/);
  assert.deepEqual([more, other.errors, process.isAlarmed()], [[], [message], false]);
});

test("after the state was evicted the indexes are repaired, as soon as the user of Redis may scan", async () => {
  const [prefix, state, customers] = ["on:", "on:{fixed}state", Array.from({ length: 16 }, (_, i) => `c${i}`)];
  const store = parseStoreUrl(cluster.url) as StoreUrl;
  await using server = await serve({ config: { store, redisTimeout: 5000, redisPrefix: prefix } });
  const api = createApi(server.url);
  for (const customer of customers) sessionOf(await api.create({ headers: { gkc_customerId: customer } }));
  const list = async (customer: string) => (await api.call("GET", `/sessions?customerId=${customer}`)).text;
  for (const customer of customers) assert.match(await list(customer), /"handle"/);

  const primaries = (await Promise.all(cluster.nodes.map(stateOf))).filter(({ isPrimary }) => isPrimary);
  const indexes = await Promise.all(primaries.map(({ node }) => node.command("KEYS", `${prefix}i:*`)));
  for (const name of (indexes as string[][]).flat()) await command("DEL", name);
  for (const { node } of primaries) await node.command("ACL", "SETUSER", "default", "-scan");
  try {
    const lostAt = Date.now() - 10_000;
    await command("HSET", `${prefix}{fixed}lost`, ...shardTags.flatMap((tag) => [tag, `${lostAt} gone`]));
    await command("HSET", state, "lost", lostAt);
    await until("refused", () => /cannot be written again now.* no right to run SCAN/.test(server.log()));
    await command("DEL", state);
    problemOf(await api.call("DELETE", "/customers/c0"), 503, "unavailable");
    await until("restored", () => /the state was missing in Redis and restored/.test(server.log()));
    problemOf(await api.call("DELETE", "/customers/c0"), 503, "unavailable");
  } finally {
    for (const { node } of primaries) await node.command("ACL", "SETUSER", "default", "+scan");
  }
  await until("repaired", async () => (await readiness(server)).shardsToRepair === 0);
  for (const customer of customers) assert.match(await list(customer), /"handle"/);
});

test("after a node lost its data, its index entries about other sessions are written again, and nothing is missed meanwhile", async () => {
  const store = parseStoreUrl(cluster.url) as StoreUrl;
  const lifetimes = { anonymous: { idle: 40_000, total: 40_000 }, recognized: { idle: 40_000, total: 40_000 } };
  // Longer than a busy machine stands still. The repair waits for this time in each slot that is being moved.
  const config = { store, redisTimeout: 5000, redisPrefix: "repair:", lifetimes };
  await using first = await serve({ config });
  await using second = await serve({ config });
  const servers = [first, second];
  const state = "repair:{fixed}state";
  await until("all markers are set", () => areMarked("repair:"));
  await command("HSET", state, "marked", 1);

  const api = createApi(first.url);
  const customers = Array.from({ length: 64 }, (_, i) => `c${i}`);
  const ids = new Map<string, string>();
  for (const customer of [...customers, "erased"]) {
    // The visit is added later, so that its claim may be in another shard than the session.
    const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: customer } }));
    sessionOf(await api.update(sessionId, { json: { visitId: `v-${customer}` } }));
    ids.set(customer, sessionId);
  }
  const list = async (customer: string) => {
    const { status, text } = await api.call("GET", `/sessions?customerId=${customer}`);
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { sessions: unknown[] }).sessions.length;
  };
  assert.equal(await list("c0"), 1);
  assert.equal((await api.call("DELETE", "/customers/erased")).status, 200);

  const node = await otherPrimary(state);
  const slots = (await stateOf(node)).ranges;
  const isOn = (tag: string) => slots.some(([from, to]) => from <= slotOf(`{${tag}}`) && slotOf(`{${tag}}`) <= to);
  const left = customers.filter((customer) => !isOn(tagOf(handleOf(ids.get(customer) as string))));
  const isFound = (customer: string) => !isOn(placeOf(indexHash("customerId", customer)).tag);
  const [exported, ended, erased, ...others] = left.filter((customer) => !isFound(customer)) as [
    string,
    string,
    string,
    ...string[],
  ];
  const unaffected = left.find(isFound) as string;
  // As long as another process has the lease, no server begins the repair.
  const lease = "repair:{fixed}lease";
  await command("SET", lease, "another process");
  const requests = [
    ["GET", `/customers/${exported}/export`, {}],
    ["POST", "/sessions/end", { json: { customerId: ended } }],
    ["DELETE", `/customers/${erased}`, {}],
  ] as const;
  await node.command("FLUSHALL");
  // All sessions may be in one list of due sessions, which may be on another node.
  const lists = await Promise.all(cluster.nodes.map((one) => one.command("KEYS", "repair:q:*")));
  for (const name of new Set((lists as string[][]).flat())) await command("DEL", name);
  // Also before the loss is noticed.
  for (const { url } of servers) {
    for (const [method, path, body] of requests) {
      const answer = await createApi(url).call(method, path, body);
      assert.match(
        problemOf(answer, 503, "unavailable").detail,
        /Redis has lost its data, and some sessions would be missed/,
      );
      assert.equal(answer.headers.get("retry-after"), "30");
    }
  }
  await until("noticed", async () => (await readiness(second)).shardsToRepair === 256);
  assert.equal(await list(exported), 0);
  problemOf(await api.call(...requests[2]), 503, "unavailable");
  const { status, text } = await api.call("POST", "/sessions/end", { json: { customerId: unaffected } });
  assert.equal(status, 200, text);
  const { stdout } = await runHere(["doctor", "--store", cluster.url, "--redis-prefix", "repair:"]);
  assert.match(stdout, /indexes +\d+ of 256 shards still to be repaired/);

  // The keys of a slot that is being moved are on two nodes.
  const moved = slotOf(`{${tagOf(handleOf(ids.get(others[0] as string) as string))}}`);
  const from = await cluster.primaryOf(moved);
  const primaries = (await Promise.all(cluster.nodes.map(stateOf))).filter(({ isPrimary }) => isPrimary);
  const to = primaries.find((one) => one.node !== node && one.node !== from)?.node as RedisNode;
  const finish = await cluster.beginMove(moved, to);
  await command("DEL", lease);
  await until("all other shards are repaired", async () => (await readiness(first)).shardsToRepair === 1, 60_000);
  problemOf(await api.call(...requests[2]), 503, "unavailable");
  await finish();
  for (const server of servers) {
    await until("repaired", async () => (await readiness(server)).shardsToRepair === 0, 60_000);
    assert.match((await createApi(server.url).call("GET", "/metrics")).text, /^antechamber_store_shards_to_repair 0$/m);
  }
  for (const customer of left) assert.equal(await list(customer), 1, customer);
  assert.equal(await list("erased"), 0);
  // A session keeps its visit.
  for (const customer of others) {
    problemOf(await api.create({ json: { visitId: `v-${customer}` } }), 400, "already-exists");
  }
  const results = await Promise.all(requests.map(([method, path, body]) => api.call(method, path, body)));
  for (const answer of results) assert.equal(answer.status, 200, answer.text);
  const [page = "", end = "", erasure = ""] = results.map((answer) => answer.text);
  assert.equal(page.split("\n").filter((line) => line.includes('"type":"session"')).length, 1);
  assert.equal((JSON.parse(end) as { sessions: number }).sessions, 1);
  assert.equal((JSON.parse(erasure) as { sessions: number }).sessions, 1);
  const gone = ids.get("erased") as string;
  assert.notEqual(sessionOf(await api.retrieve(gone)).sessionId, gone);

  // All that are left expire, also those whose list of due sessions was lost.
  for (const server of servers) server.pass(50_000);
  await until("expired", async () => {
    const headers = { accept: "application/x-ndjson" };
    const events = await api.call("GET", "/events?after=start&limit=1000&types=session.expired", { headers });
    return [exported, ...others].every((customer) => events.text.split(`"customerId":"${customer}"`).length === 2);
  });
});

test("a repair continues when the nodes that it reads become replicas", async () => {
  const store = parseStoreUrl(cluster.url) as StoreUrl;
  await using server = await serve({ config: { store, redisTimeout: 5000, redisPrefix: "failover:" } });
  const state = "failover:{fixed}state";
  await until("all markers are set", () => areMarked("failover:"));
  await command("HSET", state, "marked", 1);
  await (await otherPrimary(state)).command("FLUSHALL");
  const primaries = (await Promise.all(cluster.nodes.map(stateOf))).filter(({ isPrimary }) => isPrimary);
  // Reading half a million keys takes some seconds.
  for (const { node } of primaries) await node.command("DEBUG", "POPULATE", 500_000, "pad", 1);
  await until("the repair has begun", () => server.log().includes("Writing the index entries again"), 60_000);
  for (const { node } of primaries) await failOver(node);
  await until("repaired", async () => (await readiness(server)).shardsToRepair === 0, 60_000);
});

test("when a primary comes back empty, that is reported, and the sessions of the others are served", async () => {
  const config = { store: parseStoreUrl(cluster.url) as StoreUrl };
  await using first = await serve({ config });
  const state = "ac:{fixed}state";
  await until("all markers are set", () => areMarked("ac:"));
  // A server does this when they have been there for ten seconds.
  await command("HSET", state, "marked", 1);
  await using second = await serve({ config });
  const servers = [first, second];

  const api = createApi(first.url);
  const headers = { gkc_customerId: "c" };
  const visitors = await Promise.all(Array.from({ length: 32 }, async () => sessionOf(await api.create()).sessionId));
  const customers = await Promise.all(
    Array.from({ length: 32 }, async () => sessionOf(await api.create({ headers })).sessionId),
  );
  const node = await otherPrimary(state);
  const slots = (await stateOf(node)).ranges;
  const isLost = (id: string) => {
    const slot = slotOf(`{${tagOf(handleOf(id))}}`);
    return slots.some(([from, to]) => from <= slot && slot <= to);
  };
  await node.restart();
  const isNotReady = until("not ready", async () => (await readiness(first)).status === 503);
  // A node that was restarted takes no commands for two seconds. Also before the loss is noticed, no id of a lost session opens an anonymous one.
  const lost = [...customers, ...visitors].filter(isLost);
  const answers = await Promise.all(lost.map((id) => createApi(second.url).retrieve(id)));
  for (const [i, answer] of answers.entries()) assert.notEqual(sessionOf(answer).sessionId, lost[i]);
  await isNotReady;
  for (const server of servers) {
    await until("logged", () => /the data of \d+ of 256 shards in Redis .* is gone/.test(server.log()));
    const { status, lostShards } = await readiness(server);
    assert.equal(status, 200);
    assert.ok(lostShards > 64 && lostShards < 128, `${lostShards} lost shards`);
    assert.match((await createApi(server.url).call("GET", "/metrics")).text, /^antechamber_store_lost_shards [1-9]/m);
  }
  const { code, stdout } = await runHere(["doctor", "--store", cluster.url]);
  assert.equal(code, 1);
  assert.match(stdout, /lost +\d+ of 256 shards within the last day/);
  await until("all markers are set again", () => areMarked("ac:"));

  // The id of a session that was lost is unknown: it might have been recognized, or have ended.
  for (const id of [...customers, ...visitors]) {
    const ids = customers.includes(id) ? { headers } : {};
    assert.equal(sessionOf(await api.retrieve(id, ids)).sessionId === id, !isLost(id));
  }
  const gone = customers.find(isLost) as string;
  for (const { url } of servers) {
    problemOf(await createApi(url).update(gone, { json: { visitId: "v" } }), 404, "session-not-found");
    problemOf(await createApi(url).call("DELETE", `/sessions/${gone}`), 404, "session-not-found");
  }
  const anew = await Promise.all(Array.from({ length: 32 }, () => api.create({ headers })));
  for (const { sessionId } of anew.map(sessionOf)) {
    assert.equal(sessionOf(await createApi(second.url).retrieve(sessionId, { headers })).sessionId, sessionId);
  }

  // If the node with the secrets loses its data, nothing is served any more.
  await (await nodeOf(state)).command("FLUSHALL");
  await eventually(async () => assert.match(first.log(), /data in Redis is gone .* all requests are/));
  assert.equal((await readiness(first)).status, 503);
  problemOf(await api.create(), 503, "unavailable");
});

/** Makes the replica of a primary a primary in its place. */
async function failOver(primary: RedisNode): Promise<void> {
  const [replica] = (await cluster.replicasOf(primary)) as [RedisNode];
  await until("the replica took over", async () => {
    if ((await stateOf(replica)).isPrimary) return true;
    // A failover for which the nodes take too long is given up.
    await replica.command("CLUSTER", "FAILOVER");
    await delay(1000);
    return false;
  });
}

/** Returns a primary that serves slots, but not that of `key`. */
async function otherPrimary(key: string): Promise<RedisNode> {
  const owner = await nodeOf(key);
  const states = await Promise.all(cluster.nodes.map(stateOf));
  return states.find(({ node, isPrimary }) => isPrimary && node !== owner)?.node as RedisNode;
}

async function readiness({ url }: TestServer): Promise<{ status: number; lostShards: number; shardsToRepair: number }> {
  const { status, text } = await createApi(url).call("GET", "/readyz");
  const { lostShards = 0, shardsToRepair = 0 } = JSON.parse(text) as { lostShards?: number; shardsToRepair?: number };
  return { status, lostShards, shardsToRepair };
}
