import { after, before } from "node:test";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { type SentinelRedis, startSentinelRedis } from "../support/redis/sentinel.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { movingContract } from "./contract/moving.ts";
import { type Data, MAX_RECORDS, RETENTION } from "./contract/world.ts";
import { storeContract } from "./store-contract.ts";

let worlds = 0;

/** Data below a prefix of their own, so that nothing needs to be emptied. */
function dataAt(url: () => string): () => Promise<Data> {
  return async () => {
    const prefix = `w${worlds++}:`;
    return {
      forgetsByItself: true,
      open: (options) => openRedisAt(url(), { prefix, ...options }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}

async function sqliteData(): Promise<Data> {
  const directory = temporaryDirectory();
  return {
    open: async (options) =>
      openSqliteStore({
        ...options,
        dataDir: directory.path,
        maxRecords: MAX_RECORDS,
        retention: RETENTION,
        cacheSessions: 1000,
        maxPending: 10_000,
        timeout: 30_000,
      }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** To reach one by way of sentinels makes a difference only when it fails: one runtime is enough. */
const hasSentinels = "Bun" in globalThis;

let single: SingleRedis;
let cluster: RedisCluster;
let sentinels: SentinelRedis | undefined;
before(async () => {
  single = await startSingleRedis();
  cluster = await startRedisCluster();
  if (hasSentinels) sentinels = await startSentinelRedis();
});
after(async () => {
  await single[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await sentinels?.[Symbol.asyncDispose]();
});

const onSingle = dataAt(() => single.url);
const onCluster = dataAt(() => cluster.url);
storeContract("Redis", onSingle);
storeContract("Redis Cluster", onCluster);
if (hasSentinels) {
  storeContract(
    "Redis with Sentinel",
    dataAt(() => sentinels?.url ?? ""),
  );
  movingContract("SQLite to Redis", sqliteData, onSingle);
  movingContract("Redis to SQLite", onSingle, sqliteData);
  movingContract("Redis to Redis Cluster", onSingle, onCluster);
}
