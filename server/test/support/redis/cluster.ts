import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-ports.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { checkCluster, ownerOf, SLOTS, stateOf, statesOf } from "./cluster-state.ts";
import { openNetwork, type PrivateNetwork } from "./network.ts";
import { type RedisNode, startRedis } from "./node.ts";
import { type Persistence, persistenceSettings } from "./single.ts";
import { beginMove, moveSlot } from "./slots.ts";

/** A cluster of three primaries, each with a replica. */
export interface RedisCluster extends AsyncDisposable {
  readonly url: string;
  /** The three initial primaries, and then their replicas in the same order. */
  readonly nodes: readonly RedisNode[];
  slotOf(key: string): Promise<number>;
  /** Returns the node that serves a slot, as the nodes that respond see it. */
  primaryOf(slot: number): Promise<RedisNode>;
  /** Returns the running replicas of a primary. */
  replicasOf(primary: RedisNode): Promise<RedisNode[]>;
  /** Waits until the running nodes agree, serve every slot, and all replicas follow their primaries. */
  untilOk(timeout?: number): Promise<void>;
  /** Moves slots with their keys to another primary while they are in use. */
  moveSlots(slots: Iterable<number>, to: RedisNode): Promise<void>;
  /** Begins to move a slot to another primary. Returns a function that finishes the move. */
  beginMove(slot: number, to: RedisNode): Promise<() => Promise<void>>;
  /** Separates groups of nodes from each other; the tests and the service still reach all of them. */
  partition(groups: readonly (readonly RedisNode[])[]): void;
  heal(): void;
}

export interface ClusterOptions {
  /** `cluster-node-timeout` in ms: a node that is silent for this long counts as failed. */
  readonly nodeTimeout?: number;
  readonly persistence?: Persistence;
  /** True if `partition` will be called. It needs root, and puts the cluster into a network namespace. */
  readonly isPartitionable?: boolean;
  /** Further settings of every node. */
  readonly settings?: readonly (readonly [name: string, ...words: string[]])[];
}

const PRIMARIES = 3;
const NODES = 2 * PRIMARIES;

/** Address of a node, and its id in the cluster. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly busPort: number;
  readonly id: string;
}

/** Starts a cluster and waits until it can be used, about three seconds. */
export async function startRedisCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const directory = temporaryDirectory();
  let network: PrivateNetwork | undefined;
  let nodes: RedisNode[] = [];
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    await network?.[Symbol.asyncDispose]();
    directory.remove();
  };
  try {
    if (options.isPartitionable) network = await openNetwork(NODES);
    const places = await placesFor(network?.addresses ?? Array<string>(NODES).fill("127.0.0.1"));
    const started = await Promise.allSettled(
      places.map((place, i) => startNode(directory.path, places, place, i, network, options)),
    );
    nodes = started.flatMap((node) => (node.status === "fulfilled" ? [node.value] : []));
    for (const node of started) if (node.status === "rejected") throw node.reason;
    const cluster = clusterOf(nodes, network, dispose);
    await cluster.untilOk();
    return cluster;
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function placesFor(hosts: readonly string[]): Promise<Place[]> {
  const places: Place[] = [];
  for (const host of hosts) {
    const isOwn = host !== "127.0.0.1";
    places.push({
      host,
      // In the cluster's own network this address is used by nobody else.
      port: isOwn ? 6379 : await freePort(),
      busPort: isOwn ? 16_379 : await freePort(),
      id: randomBytes(20).toString("hex"),
    });
  }
  return places;
}

function startNode(
  folder: string,
  places: readonly Place[],
  own: Place,
  index: number,
  network: PrivateNetwork | undefined,
  options: ClusterOptions,
): Promise<RedisNode> {
  const dir = join(folder, `node-${index}`);
  mkdirSync(dir);
  writeFileSync(join(dir, "nodes.conf"), nodesFile(places, own));
  return startRedis({
    host: own.host,
    port: own.port,
    dir,
    ...(network && { wrapper: network.wrapper }),
    settings: [
      ["cluster-enabled", "yes"],
      ["cluster-config-file", "nodes.conf"],
      ["cluster-port", String(own.busPort)],
      ["cluster-node-timeout", String(options.nodeTimeout ?? 5000)],
      ["cluster-replica-validity-factor", "0"],
      ["cluster-allow-replica-migration", "no"],
      ...(network ? [["bind-source-addr", own.host] as const] : []),
      ...persistenceSettings(options.persistence ?? "none"),
      ...(options.settings ?? []),
    ],
  });
}

/** Returns a node's cluster configuration file. With it, the nodes need not negotiate anything. */
function nodesFile(places: readonly Place[], own: Place): string {
  const lines = places.map((place, i) => {
    const isPrimary = i < PRIMARIES;
    const role = isPrimary ? "master" : "slave";
    const flags = place === own ? `myself,${role}` : role;
    const follows = isPrimary ? "-" : places[i - PRIMARIES]?.id;
    const slots = isPrimary ? ` ${firstSlot(i)}-${firstSlot(i + 1) - 1}` : "";
    const address = `${place.host}:${place.port}@${place.busPort}`;
    return `${place.id} ${address} ${flags} ${follows} 0 0 ${(i % PRIMARIES) + 1} connected${slots}`;
  });
  return `${lines.join("\n")}\nvars currentEpoch ${PRIMARIES} lastVoteEpoch 0\n`;
}

function firstSlot(primary: number): number {
  return Math.round((primary * SLOTS) / PRIMARIES);
}

function clusterOf(
  nodes: readonly RedisNode[],
  network: PrivateNetwork | undefined,
  dispose: () => Promise<void>,
): RedisCluster {
  function connected(): PrivateNetwork {
    if (network === undefined) throw new TypeError("the cluster is not partitionable");
    return network;
  }
  async function primaryOf(slot: number): Promise<RedisNode> {
    const owner = ownerOf(slot, await statesOf(nodes));
    if (owner === undefined) throw new Error(`nobody serves the slot ${slot}`);
    return owner.node;
  }
  return {
    url: `redis+cluster://${nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`,
    nodes,
    async slotOf(key) {
      const [first] = await statesOf(nodes);
      return Number(await first?.node.command("CLUSTER", "KEYSLOT", key));
    },
    primaryOf,
    async replicasOf(primary) {
      const { id } = await stateOf(primary);
      const states = await statesOf(nodes);
      return states.filter(({ follows }) => follows === id).map(({ node }) => node);
    },
    untilOk: (timeout = 180_000) => eventually(() => checkCluster(nodes), timeout),
    async moveSlots(slots, to) {
      for (const slot of slots) await moveSlot(slot, await statesOf(nodes), to);
    },
    beginMove: async (slot, to) => beginMove(slot, await statesOf(nodes), to),
    partition: (groups) => connected().partition(groups.map((group) => group.map(({ host }) => host))),
    heal: () => connected().heal(),
    [Symbol.asyncDispose]: dispose,
  };
}
