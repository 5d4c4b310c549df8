import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { anySession } from "../../src/session/filter.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { type SentinelRedis, startSentinelRedis } from "../support/redis/sentinel.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { ids, lifetimes } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { eventsContract } from "./contract/events.ts";
import { liveCountContract } from "./contract/statistics.ts";
import { transferContract } from "./contract/transfer.ts";
import { type Data, MAX_RECORDS, RETENTION } from "./contract/world.ts";
import { basicContract, storeContract } from "./store-contract.ts";

const issuer = createIdIssuer([{ bytes: new Uint8Array(32).fill(7), createdAt: 0 }]);
let worlds = 0;

/** Returns a factory for empty storages: each has its own prefix of key names, so that nothing has to be deleted. */
function dataAt(url: () => string, common = "", eventRetention: number | null = RETENTION): () => Promise<Data> {
  return async () => {
    const prefix = `${common}w${worlds++}:`;
    return {
      ...(eventRetention === null && { expiresByItself: true }),
      open: (options) => openRedisAt(url(), { prefix, eventRetention, ...options }),
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
        eventRetention: RETENTION,
        cacheSessions: 1000,
        maxPending: 10_000,
        timeout: 30_000,
      }),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/** Sentinels matter to the service only when Redis fails, so these tests use them on one runtime only. */
const isBun = "Bun" in globalThis;

const operating = readFileSync(new URL("../../../docs/operating.md", import.meta.url), "utf8");

/** Returns the rights that the documentation gives to the service's user, and additional ones for the tests. */
function leastRights(...more: string[]): string[] {
  const [, rights] = /^user antechamber on >password (.*)$/m.exec(operating) ?? [];
  assert.ok(rights);
  for (const right of more) {
    assert.ok(operating.replaceAll("\\|", "|").includes(right), `${right} is documented`);
  }
  return [...rights.split(" "), ...more];
}

/** Creates the documented user on a node. Returns the address of the Redis with this user. */
async function restrict(
  { node, url }: { readonly node: RedisNode; readonly url: string },
  rights: readonly string[],
): Promise<string> {
  await node.command("ACL", "SETUSER", "least", "on", ">p", ...rights);
  return url.replace("//", "//least:p@");
}

let single: SingleRedis;
let restricted = "";
let restrictedCluster = "";
let cluster: RedisCluster;
let sentinels: SentinelRedis | undefined;
before(async () => {
  single = await startSingleRedis();
  cluster = await startRedisCluster({ nodeTimeout: 20_000 });
  if (!isBun) return;
  sentinels = await startSentinelRedis();
  restricted = await restrict(single, leastRights("+scan"));
  const clusterRights = ["+scan", "+cluster|slots", "+cluster|info", "+asking"];
  for (const node of cluster.nodes) {
    restrictedCluster = await restrict({ node, url: cluster.url }, leastRights(...clusterRights));
  }
});
after(async () => {
  await single[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await sentinels?.[Symbol.asyncDispose]();
});

const onSingle = dataAt(() => single.url);
const onCluster = dataAt(() => cluster.url);
// The engine is the same on both runtimes; only the connections differ. So each runtime runs the whole suite on one form
// of Redis, and on the other one the parts that use most of the commands. On Bun, all is done with the documented rights.
if (long || !isBun) {
  storeContract(
    "Redis",
    dataAt(() => single.url, "", null),
  );
  eventsContract("Redis", onSingle);
  liveCountContract("Redis", onSingle);
  (long ? storeContract : basicContract)("Redis Cluster", onCluster);
}

test("Redis Cluster: creating sessions takes a command for each shard, and many share those for index and notes", async () => {
  const prefix = `w${worlds++}:`;
  const store = await openRedisAt(cluster.url, { prefix });
  const now = Date.now();
  const create = (customerId: string) => {
    const given = ids({ customerId, visitId: `visit of ${customerId}` });
    const { handle, createdAt } = issuer.issue(now, store.lastByteOfHandle(given.visitId));
    return store.create(newSession(handle, createdAt, given, lifetimes), now);
  };
  // Loads the scripts on all nodes.
  await Promise.all(Array.from({ length: 50 }, (_, i) => create(`first ${i}`)));
  const page = { filter: anySession, after: null, limit: 1000, now };
  await store.listSessions(page);
  const earlier = await commandsRun();
  await Promise.all(Array.from({ length: 800 }, (_, i) => create(`second ${i}`)));
  // Closing works off the notes.
  await store.close();
  const run = (await commandsRun()).map((count, i) => (count - (earlier[i] ?? 0)) / 800);
  const [scripts = 0, sets = 0, removals = 0] = run;
  // A session takes a SET for the claim and one for itself. Each of the 256 shards takes a script for all its sessions,
  // each of the 64 with indexes another one; heartbeats add a few, and on a busy machine the notes form several groups.
  assert.ok(scripts > 0.3 && scripts < 1, `${scripts} scripts each`);
  assert.ok(sets > 1.99 && sets < 2.05, `${sets} SETs each`);
  assert.ok(removals > 0 && removals < 0.7, `${removals} XDELs each`);
  const again = await openRedisAt(cluster.url, { prefix });
  const { sessions, total } = await again.listSessions(page);
  await again.close();
  assert.equal(total, 850);
  const found = sessions.map(({ handle }) => Buffer.from(handle, "base64url").toString("hex"));
  assert.deepEqual(found, found.toSorted().toReversed(), "newest first");
  assert.equal(new Set(found).size, 850);
});

/** Returns the numbers of scripts, SETs and XDELs that the cluster has run, without those of replication. */
async function commandsRun(): Promise<number[]> {
  const primaries = cluster.nodes.slice(0, 3);
  const infos = await Promise.all(primaries.map((node) => node.command("INFO", "commandstats")));
  return ["evalsha", "set", "xdel"].map((name) =>
    infos.reduce<number>(
      (sum, info) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(String(info))?.[1] ?? 0),
      0,
    ),
  );
}

if (isBun) {
  (long ? storeContract : basicContract)(
    "Redis with Sentinel",
    dataAt(() => sentinels?.url ?? ""),
  );
  storeContract(
    "Redis with the least rights",
    dataAt(() => restricted, "ac:"),
  );
  const onRestrictedCluster = dataAt(() => restrictedCluster, "ac:");
  storeContract("Redis Cluster with the least rights", onRestrictedCluster);
  eventsContract("Redis Cluster with the least rights", onRestrictedCluster);
  liveCountContract("Redis Cluster with the least rights", onRestrictedCluster);
  transferContract("SQLite to Redis", sqliteData, onSingle);
  transferContract("Redis to SQLite", onSingle, sqliteData);
  transferContract("Redis to Redis Cluster", onSingle, onCluster);
}
