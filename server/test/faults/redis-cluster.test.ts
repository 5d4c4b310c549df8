// runs: faults

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { SLOTS, stateOf } from "../support/redis/cluster-state.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { long } from "../support/tier.ts";
import { type Outage, summed, witnessOutage } from "./outage.ts";
import { type Services, startServices } from "./services.ts";

/*
 * What breaks in a cluster of three primaries and three replicas, under load from all sides. One
 * cluster for all of it: each fault leaves it whole, with other primaries perhaps.
 */

/** How often each fault happens. */
const ROUNDS = long ? 10 : 1;
/** `cluster-node-timeout` (ms): a replica takes over after about twice as long. */
const NODE_TIMEOUT = 1000;

const random = createRandom(runSeed());
let cluster: RedisCluster;
let services: Services;
before(async () => {
  cluster = await startRedisCluster({
    nodeTimeout: NODE_TIMEOUT,
    isPartitionable: true,
    persistence: "everysec",
  });
  services = await startServices(cluster.url, ["bun", "bun", "node"]);
});
after(async () => {
  await services?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

interface Scenario {
  /** Breaks something and returns once the cluster is whole again. */
  readonly fault: (services: Services) => Promise<void>;
  /** Whether acknowledged changes may be lost to it. */
  readonly mayLose: boolean;
  /** What is used instead of the services that run all the time. */
  readonly by?: Services;
}

/** Lets a fault happen under load, again and again in the long form. */
async function underFault({ fault, mayLose, by = services }: Scenario): Promise<Outage> {
  await restore();
  const outages: Outage[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    outages.push(await witnessOutage(by, { mayLose, fault: () => fault(by) }));
  }
  return summed(outages);
}

/** Mends what a test that failed has left broken. */
async function restore(): Promise<void> {
  cluster.heal();
  for (const node of cluster.nodes) {
    node.resume();
    if (!node.isRunning) await node.restart();
  }
  await cluster.untilOk();
}

/** A primary that serves some slot, and its replica. */
async function pairOf(): Promise<readonly [RedisNode, RedisNode]> {
  const primary = await cluster.primaryOf(random.between(0, SLOTS - 1));
  const [replica] = await cluster.replicasOf(primary);
  assert.ok(replica, "the primary has no replica");
  return [primary, replica];
}

function untilPromoted(replica: RedisNode): Promise<void> {
  return until("the replica took over", async () => (await stateOf(replica)).isPrimary, 20_000);
}

/** Cuts a primary off; `meanwhile` happens when its replica has taken over. */
async function cutOff(meanwhile: () => Promise<void>): Promise<void> {
  const [primary, replica] = await pairOf();
  cluster.partition([[primary], cluster.nodes.filter((node) => node !== primary)]);
  await untilPromoted(replica);
  await meanwhile();
  cluster.heal();
  await cluster.untilOk();
}

async function rolesOf(): Promise<{ primaries: RedisNode[]; replicas: RedisNode[] }> {
  const states = await Promise.all(cluster.nodes.map(stateOf));
  const nodes = (are: boolean) =>
    states.filter(({ isPrimary }) => isPrimary === are).map(({ node }) => node);
  return { primaries: nodes(true), replicas: nodes(false) };
}

test("a primary is killed: its replica takes over and the services go on", async () => {
  const { refused, unknown } = await underFault({
    mayLose: true,
    async fault({ untilServing }) {
      const [primary, replica] = await pairOf();
      await primary.kill();
      await untilPromoted(replica);
      await untilServing();
      await primary.restart();
      await cluster.untilOk();
    },
  });
  assert.ok(refused + unknown > 0, "nobody noticed");
});

test("a primary is paused, replaced, and resumed", async () => {
  const { refused, unknown } = await underFault({
    mayLose: true,
    async fault({ untilServing }) {
      const [primary, replica] = await pairOf();
      primary.pause();
      await untilPromoted(replica);
      await untilServing();
      primary.resume();
      await cluster.untilOk();
    },
  });
  assert.ok(refused + unknown > 0, "nobody noticed");
});

test("a primary is cut off from the other nodes, though not from the services", async () => {
  const { report } = await underFault({
    mayLose: true,
    fault: ({ untilServing }) => cutOff(untilServing),
  });
  // The control: what follows proves something only where this loses something.
  assert.ok(report.lost > 0, "nothing was lost");
});

test("acknowledged by a replica nothing is lost when a primary is cut off", async () => {
  const env = { ANTECHAMBER_MIN_REPLICAS_ACK: "1" };
  await using careful = await startServices(cluster.url, ["bun", "node"], env);
  const { report, unknown } = await underFault({
    by: careful,
    mayLose: true,
    // The new primary has no replica until the old one follows it.
    fault: () => cutOff(async () => {}),
  });
  assert.ok(unknown > 0, "nobody was told that the outcome is unknown");
  assert.deepEqual([report.lost, report.lostClaims, report.heldTwice], [0, 0, 0]);
});

test("the whole cluster goes away and comes back with everything", async () => {
  const { refused } = await underFault({
    mayLose: false,
    async fault({ untilNotReady }) {
      const { primaries, replicas } = await rolesOf();
      await Promise.all(cluster.nodes.map((node) => node.kill()));
      await untilNotReady();
      await Promise.all(primaries.map((node) => node.restart()));
      await Promise.all(replicas.map((node) => node.restart()));
      await cluster.untilOk();
    },
  });
  assert.ok(refused > 0, "nobody noticed");
});

test("slots move from node to node while they are in use, and nobody notices", async () => {
  const { refused, unknown } = await underFault({
    mayLose: false,
    async fault() {
      for (const primary of (await rolesOf()).primaries) {
        const slots = Array.from({ length: 30 }, () => random.between(0, SLOTS - 1));
        await cluster.moveSlots(new Set(slots), primary);
      }
      await cluster.untilOk();
    },
  });
  assert.deepEqual([refused, unknown], [0, 0]);
});

test("a service is killed and blocks nobody", async () => {
  await restore();
  for (let round = 0; round < ROUNDS; round++) {
    await using several = await startServices(cluster.url, ["bun", "bun", "node"]);
    const { refused, slowest } = await witnessOutage(several, {
      mayLose: false,
      fault: async () => {
        await several.servers[round % 3]?.kill("SIGKILL");
      },
    });
    assert.equal(refused, 0);
    // A visit that it had half claimed is free after the grace.
    assert.ok(slowest < 2000, `somebody waited ${slowest} ms`);
  }
});
