import { setTimeout as delay } from "node:timers/promises";
import { createRandom, runSeed } from "../support/random.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { startSingleRedis } from "../support/redis/single.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { createSoakClient, type SoakClient } from "./client.ts";
import { keysByKind, rowsByTable } from "./leftovers.ts";
import { type SoakTally, startSoakLoad } from "./load.ts";
import { type Sample, sampleServer } from "./samples.ts";

/** The options of a soak. Times are in seconds. */
export interface SoakPlan {
  readonly runtime: "bun" | "node";
  readonly engine: "sqlite" | "redis";
  /** Requests per second, to all servers together. */
  readonly rate: number;
  readonly seconds: number;
  /** The time between two samples. */
  readonly interval: number;
  readonly idle: number;
  readonly lifetime: number;
  readonly retention: number;
}

/** The results of a soak. The load has ended, and the servers still run. */
export interface SoakRun extends AsyncDisposable {
  readonly plan: SoakPlan;
  readonly servers: readonly ServerProcess[];
  readonly clients: readonly SoakClient[];
  /** Measurements taken during the run: memory and descriptors of the first server process, and the size of the store. */
  readonly samples: readonly Sample[];
  readonly tally: SoakTally;
  /** Measures the current figures. */
  sample(): Promise<ReadonlyMap<string, number>>;
  /** The Redis of the store; `undefined` with SQLite. */
  readonly redis: RedisNode | undefined;
}

/** Starts servers over an empty store, one over SQLite and two over Redis, and sends requests for the given time. */
export async function soak(plan: SoakPlan): Promise<SoakRun> {
  const stack = new AsyncDisposableStack();
  try {
    return await soakWith(plan, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function soakWith(plan: SoakPlan, stack: AsyncDisposableStack): Promise<SoakRun> {
  const redis = plan.engine === "redis" ? stack.use(await startSingleRedis()) : undefined;
  const env = {
    ANTECHAMBER_ANONYMOUS_IDLE: `${plan.idle}s`,
    ANTECHAMBER_RECOGNIZED_IDLE: `${plan.idle}s`,
    ANTECHAMBER_ANONYMOUS_LIFETIME: `${plan.lifetime}s`,
    ANTECHAMBER_RECOGNIZED_LIFETIME: `${plan.lifetime}s`,
    ANTECHAMBER_RETENTION: `${plan.retention}s`,
    // A small cache is full before the slopes are measured. It keeps expired sessions too, so a large one would still
    // grow.
    ANTECHAMBER_CACHE_SESSIONS: "5000",
    // Nothing may be refused, even if the machine stands still for a moment.
    ANTECHAMBER_REDIS_TIMEOUT: "20s",
    ANTECHAMBER_STORE_TIMEOUT: "20s",
    ...(redis === undefined ? {} : { ANTECHAMBER_STORE: redis.url }),
  };
  const servers: ServerProcess[] = [];
  for (let i = redis === undefined ? 1 : 2; i > 0; i--) {
    servers.push(stack.use(await startServer({ runtime: plan.runtime, env })));
  }
  const clients = servers.map(({ url }) => stack.use(createSoakClient(url, 64)));
  const sample = async () => {
    const figures = await sampleServer(servers[0] as ServerProcess, clients[0] as SoakClient);
    if (redis === undefined) {
      for (const [table, rows] of rowsByTable((servers[0] as ServerProcess).dataDir)) {
        figures.set(`${table} rows`, rows);
      }
    } else {
      const memory = /used_memory:(\d+)/.exec(String(await redis.node.command("INFO", "memory")));
      figures.set("Redis MB", Number(memory?.[1]) / 1_000_000);
      for (const [kind, { keys }] of await keysByKind(redis.node)) {
        figures.set(`${kind}: keys`, keys);
      }
    }
    return figures;
  };
  const samples: Sample[] = [];
  const seed = runSeed();
  console.log(`soak of ${plan.engine} on ${plan.runtime}: FAULTS_SEED=${seed}`);
  const load = startSoakLoad(clients, plan.rate, createRandom(seed));
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  while (elapsed() < plan.seconds) {
    samples.push({ at: elapsed(), figures: await sample() });
    await delay(1000 * plan.interval - ((1000 * elapsed()) % (1000 * plan.interval)));
  }
  const tally = await load.stop();
  return {
    plan,
    servers,
    clients,
    samples,
    tally,
    sample,
    redis: redis?.node,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
