import { execFileSync } from "node:child_process";
import { freePort, SERVER_CORE, type Started, start, temporaryFolder } from "../processes.ts";
import { reachable, startRedis } from "../subjects/redis.ts";

/** A single Redis, or a cluster of three primaries with one replica each. */
export type Topology = "single" | "cluster";

/** The Redis that all subjects of a round use, one after another. */
export type Store = {
  topology: Topology;
  /** Value of the service's setting `ANTECHAMBER_STORE`. */
  url: string;
  /** Ports on the loopback address, those of the primaries first. */
  ports: number[];
  pids: number[];
  /** Deletes all data and resets the counts of commands. */
  reset: () => void;
  /** Returns how often the primaries have executed each command since `reset`, including commands of scripts. */
  commands: () => Record<string, number>;
  /** Returns how many bytes of memory the primaries use. */
  bytes: () => number;
  close: () => Promise<void>;
};

const PRIMARIES = 3;

/** Starts an empty Redis, without persistence, on the core of the measured processes. */
export async function startStore(topology: Topology): Promise<Store> {
  if (topology === "cluster") return startCluster();
  const redis = await startRedis("memory");
  return storeOf(topology, [redis], [redis.port], redis.close);
}

async function startCluster(): Promise<Store> {
  const folder = temporaryFolder();
  const nodes: Started[] = [];
  const close = async () => {
    await Promise.all(nodes.map((node) => node.close()));
    folder.remove();
  };
  try {
    const ports: number[] = [];
    for (let index = 0; index < 2 * PRIMARIES; index++) {
      const port = await clusterPort();
      nodes.push(await startNode(folder.path, port));
      await reachable(port);
      ports.push(port);
    }
    await form(ports);
    return storeOf("cluster", nodes, primariesFirst(ports), close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Returns a free port below 55,000, because a node's cluster bus uses the port that is 10,000 higher. */
async function clusterPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

function startNode(folder: string, port: number): Promise<Started> {
  const settings = {
    bind: "127.0.0.1",
    port: String(port),
    dir: folder,
    save: "",
    appendonly: "no",
    "cluster-enabled": "yes",
    "cluster-config-file": `nodes-${port}.conf`,
    dbfilename: `${port}.rdb`,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return start("redis-server", args, {
    cores: [SERVER_CORE],
    ready: /Ready to accept connections/,
  });
}

async function form(ports: number[]): Promise<void> {
  const nodes = ports.map((port) => `127.0.0.1:${port}`);
  const create = ["--cluster", "create", ...nodes, "--cluster-replicas", "1", "--cluster-yes"];
  execFileSync("redis-cli", create, { stdio: "pipe" });
  const isWhole = () =>
    ports.every((port) => ask(port, "cluster", "info").includes("cluster_state:ok")) &&
    ports.filter((port) => isPrimary(port)).length === PRIMARIES;
  while (!isWhole()) await new Promise((resolve) => setTimeout(resolve, 100));
}

function isPrimary(port: number): boolean {
  return ask(port, "role").startsWith("master");
}

function primariesFirst(ports: number[]): number[] {
  return ports.toSorted((a, b) => Number(isPrimary(b)) - Number(isPrimary(a)));
}

function storeOf(topology: Topology, processes: Started[], ports: number[], close: () => Promise<void>): Store {
  const primaries = topology === "single" ? ports : ports.slice(0, PRIMARIES);
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(",");
  return {
    topology,
    url: topology === "single" ? `redis://${hosts}` : `redis+cluster://${hosts}`,
    ports,
    pids: processes.map(({ pid }) => pid),
    reset() {
      for (const port of primaries) {
        ask(port, "flushall");
        ask(port, "config", "resetstat");
      }
    },
    commands: () => sum(primaries.map(commandsOf)),
    bytes: () =>
      primaries
        .map((port) => Number(/used_memory:(\d+)/.exec(ask(port, "info", "memory"))?.[1]))
        .reduce((all, one) => all + one, 0),
    close,
  };
}

/** Returns the counts of `INFO commandstats`, without the commands of this measurement and those between nodes. */
function commandsOf(port: number): Record<string, number> {
  const lines = ask(port, "info", "commandstats").matchAll(/^cmdstat_([a-z|]+):calls=(\d+)/gm);
  const own = /^(info|config|flushall|role|cluster|replconf|ping|psync|auth|hello|client|command)/;
  const found = [...lines].filter(([, name = ""]) => !own.test(name));
  return Object.fromEntries(found.map(([, name = "", calls]) => [name, Number(calls)]));
}

function sum(all: Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const one of all) {
    for (const [name, calls] of Object.entries(one)) total[name] = (total[name] ?? 0) + calls;
  }
  return total;
}

/** Sends a command to a Redis server with redis-cli. This is slow, but only a few commands are sent per minute. */
export function ask(port: number, ...words: string[]): string {
  return execFileSync("redis-cli", ["-p", String(port), ...words], { encoding: "utf8" });
}
