// runs: once

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { type Connection, connect } from "../../../src/store/redis/connection/connection.ts";
import type { RedisPlace } from "../../../src/store/redis/connection/place.ts";
import { slotOf } from "../../../src/store/redis/connection/slots.ts";
import { until } from "../../support/eventually.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis/cluster.ts";
import { stateOf } from "../../support/redis/cluster-state.ts";
import type { RedisNode } from "../../support/redis/node.ts";

/* Commands reach the node that has their keys, while slots move and nodes fail. */

const TIMEOUT = 60_000;
let cluster: RedisCluster;
before(async () => {
  cluster = await startRedisCluster({ nodeTimeout: 20_000 });
});
const opened: Connection[] = [];
after(async () => {
  for (const connection of opened) connection.close();
  await cluster[Symbol.asyncDispose]();
});

async function open(hosts: readonly RedisNode[], failures: string[] = []): Promise<Connection> {
  const place: RedisPlace = {
    kind: "cluster",
    hosts: hosts.map(({ host, port }) => ({ host, port })),
    ...{ name: undefined, username: undefined, password: undefined, database: 0, isTls: false, caFile: undefined },
    ...{ certFile: undefined, keyFile: undefined, sentinelUsername: undefined, sentinelPassword: undefined },
  };
  const failed = ({ message }: Error) => void failures.push(message);
  const options = { place, timeout: TIMEOUT, minReplicasAck: 0, isRepeatable: true, failed };
  const connection = await connect(options, TIMEOUT, () => undefined);
  opened.push(connection);
  return connection;
}

/** Calls `work` again and again, several times at once, until the returned function is called. */
function keepDoing(work: (round: number) => Promise<unknown>): () => Promise<void> {
  const stop = new AbortController();
  let rounds = 0;
  const workers = Array.from({ length: 8 }, async () => {
    while (!stop.signal.aborted) await work(rounds++);
  });
  return async () => {
    stop.abort();
    await Promise.all(workers);
  };
}

function primaryOf(key: string): Promise<RedisNode> {
  return cluster.primaryOf(slotOf(key));
}

const source = "redis.call('INCR', KEYS[1]) return redis.call('INCR', KEYS[2])";
const increment = { source, sha: createHash("sha1").update(source).digest("hex"), keys: 2 };

test("while slots move, commands of several keys are carried out exactly once, and none fails", async () => {
  const failures: string[] = [];
  // A replica knows the primaries.
  const connection = await open([cluster.nodes[5] as RedisNode], failures);
  const pairs = Array.from({ length: 300 }, (_, i) => [`{moved}${i}`, `{moved}other${i}`]);
  const counts = pairs.map(() => 0);
  const add = async (round: number) => {
    const i = round % pairs.length;
    await connection.script(connection.begin(0), "change", increment, pairs[i] as string[], []);
    counts[i] = (counts[i] ?? 0) + 1;
  };
  const stop = keepDoing(add);
  await until("every pair is stored", () => counts.every((count) => count > 0));
  const owner = await primaryOf("{moved}");
  const others = cluster.nodes.slice(0, 3).filter((node) => node !== owner);
  for (const to of [...others, owner]) await cluster.moveSlots([slotOf("{moved}")], to);
  await stop();
  for (const [i, pair] of pairs.entries()) {
    for (const key of pair) assert.equal(await owner.command("GET", key), String(counts[i]));
  }
  assert.deepEqual(failures, []);
});

test("in the middle of a move, a new key is stored on the node to which its slot moves", async () => {
  const connection = await open(cluster.nodes);
  const key = "{moving}new";
  const slot = slotOf(key);
  const from = await primaryOf(key);
  const to = cluster.nodes.slice(0, 3).find((node) => node !== from) as RedisNode;
  await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", (await stateOf(from)).id);
  await from.command("CLUSTER", "SETSLOT", slot, "MIGRATING", (await stateOf(to)).id);
  await Promise.all([1, 2, 3].map((i) => connection.command(connection.begin(0), "change", "set", [key, i])));
  await cluster.moveSlots([slot], to);
  assert.equal(await connection.command(connection.begin(0), "read", "get", [key]), "3");
});

test("a connection is made although the first address is that of a silent node, and uses the other nodes", async () => {
  const [silent, working] = cluster.nodes as readonly [RedisNode, RedisNode];
  silent.pause();
  try {
    const connection = await open([silent, working]);
    const key = ["a", "b", "c", "d", "e", "f"].find((name) => slotOf(name) > 6000 && slotOf(name) < 10_000) as string;
    await connection.command(connection.begin(0), "read", "get", [key]);
  } finally {
    silent.resume();
  }
  await cluster.untilOk();
});

test("when a primary is killed, commands wait for its replica and succeed", async () => {
  const connection = await open(cluster.nodes);
  // The other tests need a cluster that replaces no node because a busy machine stands still.
  for (const node of cluster.nodes) await node.command("CONFIG", "SET", "cluster-node-timeout", 500);
  const stop = keepDoing((round) =>
    connection.command(connection.begin(0), "change", "set", [`key ${round % 500}`, round]),
  );
  const primary = await primaryOf("key 1");
  const [replica] = (await cluster.replicasOf(primary)) as [RedisNode];
  await primary.kill();
  await until("the replica is used", () => connection.primaries().has(`${replica.host}:${replica.port}`), TIMEOUT);
  await connection.command(connection.begin(0), "change", "set", ["key 1", "after"]);
  await stop();
  await primary.restart();
  await cluster.untilOk();
});
