import { after, before } from "node:test";
import type { RedisPlace } from "../../src/store/redis/client.ts";
import { openRedisStore } from "../../src/store/redis/redis-store.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { type Data, MAX_RECORDS, RETENTION } from "./contract/world.ts";
import { storeContract } from "./store-contract.ts";

const hosts = (nodes: readonly { host: string; port: number }[]) =>
  nodes.map(({ host, port }) => ({ host, port }));

function place(kind: RedisPlace["kind"], nodes: RedisPlace["hosts"], name?: string): RedisPlace {
  return {
    kind,
    hosts: hosts(nodes),
    name,
    username: undefined,
    password: undefined,
    database: 0,
    isTls: false,
    caFile: undefined,
  };
}

let worlds = 0;
/** Data below a prefix of their own, so that nothing needs to be emptied. */
function dataAt(where: () => RedisPlace): () => Promise<Data> {
  return async () => {
    const prefix = `w${worlds++}:`;
    return {
      forgetsByItself: true,
      open: ({ lifetimes, events, now }) =>
        openRedisStore({
          place: where(),
          prefix,
          lifetimes,
          events,
          now,
          maxRecords: MAX_RECORDS,
          retention: RETENTION,
          maxPending: 10_000,
          timeout: 5000,
          minReplicasAck: 0,
        }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}

let single: SingleRedis;
let cluster: RedisCluster;
before(async () => {
  single = await startSingleRedis();
  cluster = await startRedisCluster();
});
after(async () => {
  await single[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

storeContract(
  "Redis",
  dataAt(() => place("single", [single.node])),
);
storeContract(
  "Redis Cluster",
  dataAt(() => place("cluster", cluster.nodes)),
);
