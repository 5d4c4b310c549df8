import { after, before } from "node:test";
import { type RedisCluster, startRedisCluster } from "./cluster.ts";
import type { RedisNode } from "./node.ts";
import { type SingleRedis, startSingleRedis } from "./single.ts";

/** A Redis for tests: its URL for stores, and the nodes that have the data. */
interface Topology {
  readonly url: string;
  readonly nodes: readonly RedisNode[];
}

/** A single Redis and a cluster. They can be asked for once the tests have begun. */
interface Topologies {
  readonly single: () => SingleRedis;
  readonly cluster: () => RedisCluster;
  readonly topologies: Readonly<Record<"Redis" | "Redis Cluster", () => Topology>>;
}

/** Starts a single Redis and a cluster for the tests of a file. */
export function startTopologies(): Topologies {
  let single: SingleRedis;
  let cluster: RedisCluster;
  before(async () => {
    single = await startSingleRedis();
    cluster = await startRedisCluster({ nodeTimeout: 20_000 });
  });
  after(async () => {
    await single[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });
  return {
    single: () => single,
    cluster: () => cluster,
    topologies: {
      Redis: () => ({ url: single.url, nodes: [single.node] }),
      "Redis Cluster": () => ({ url: cluster.url, nodes: cluster.nodes.slice(0, 3) }),
    },
  };
}
