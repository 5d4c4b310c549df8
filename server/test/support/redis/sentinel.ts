import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import { freePort } from "../free-ports.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type RedisNode, startRedis } from "./node.ts";
import { type Persistence, persistenceSettings } from "./single.ts";

/** A primary with replicas, and three sentinels that replace it when it fails. */
export interface SentinelRedis extends AsyncDisposable {
  readonly url: string;
  /** The servers with data. At the start, the first one is the primary. */
  readonly nodes: readonly RedisNode[];
  readonly sentinels: readonly RedisNode[];
  /** Returns the primary according to most of the sentinels. */
  primary(): Promise<RedisNode>;
  /** Waits until all sentinels agree on a running primary, and all other running nodes follow it. */
  untilOk(timeout?: number): Promise<void>;
}

export interface SentinelOptions {
  readonly replicas?: 1 | 2;
  /** Time in ms without a reply after which a node counts as failed. */
  readonly downAfter?: number;
  readonly persistence?: Persistence;
  /** Password of the sentinels, also among themselves; by default none. */
  readonly password?: string;
}

/** Name of the primary at the sentinels. */
const NAME = "primary";
const HOST = "127.0.0.1";

/** Starts the nodes and the sentinels, and waits until they can be used. */
export async function startSentinelRedis(options: SentinelOptions = {}): Promise<SentinelRedis> {
  const { replicas = 1, persistence = "none" } = options;
  const directory = temporaryDirectory();
  const nodes: RedisNode[] = [];
  const sentinels: RedisNode[] = [];
  const dispose = async () => {
    await Promise.all([...nodes, ...sentinels].map((node) => node[Symbol.asyncDispose]()));
    directory.remove();
  };
  try {
    const ports: number[] = [];
    while (ports.length < 1 + replicas + 3) ports.push(await freePort());
    const [primaryPort = 0, ...otherPorts] = ports;
    const settings = persistenceSettings(persistence);
    for (const [i, port] of [primaryPort, ...otherPorts.slice(0, replicas)].entries()) {
      const following: [string, string, string][] = i === 0 ? [] : [["replicaof", HOST, String(primaryPort)]];
      const dir = join(directory.path, `node-${i}`);
      nodes.push(await startRedis({ host: HOST, port, dir, settings: [...settings, ...following] }));
    }
    const sentinelPorts = otherPorts.slice(replicas);
    const { downAfter = 1000, password } = options;
    const files = sentinelFiles(directory.path, nodes, sentinelPorts, downAfter, password);
    const connection = password === undefined ? {} : { connection: { password } };
    for (const [i, port] of sentinelPorts.entries()) {
      const [dir, configFile = ""] = [join(directory.path, `sentinel-${i}`), files[i]];
      sentinels.push(await startRedis({ host: HOST, port, dir, configFile, isSentinel: true, ...connection }));
    }
    const hosts = sentinelPorts.map((port) => `${HOST}:${port}`).join(",");
    const running: SentinelRedis = {
      url: `redis+sentinel://${hosts}/${NAME}`,
      nodes,
      sentinels,
      primary: () => primaryOf(nodes, sentinels),
      // After a stall of two seconds, sentinels do nothing for half a minute.
      untilOk: (timeout = 90_000) => eventually(() => checkAll(nodes, sentinels), timeout),
      [Symbol.asyncDispose]: dispose,
    };
    await running.untilOk();
    return running;
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Returns the sentinels' files. In them the sentinels know each other from the start, because discovery is slow. */
function sentinelFiles(
  folder: string,
  nodes: readonly RedisNode[],
  ports: readonly number[],
  downAfter: number,
  password: string | undefined,
): string[] {
  const ids = ports.map(() => randomBytes(20).toString("hex"));
  const [primary, ...replicas] = nodes.map(({ port }) => port);
  return ports.map((_port, i) => {
    const lines = [
      `sentinel myid ${ids[i]}`,
      `sentinel monitor ${NAME} ${HOST} ${primary} 2`,
      `sentinel down-after-milliseconds ${NAME} ${downAfter}`,
      `sentinel failover-timeout ${NAME} 3000`,
      ...(password === undefined ? [] : [`requirepass "${password}"`, `sentinel sentinel-pass "${password}"`]),
      ...replicas.map((port) => `sentinel known-replica ${NAME} ${HOST} ${port}`),
      ...ports.flatMap((port, other) =>
        other === i ? [] : [`sentinel known-sentinel ${NAME} ${HOST} ${port} ${ids[other]}`],
      ),
    ];
    const file = join(folder, `sentinel-${i}.conf`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    return file;
  });
}

async function primaryOf(nodes: readonly RedisNode[], sentinels: readonly RedisNode[]): Promise<RedisNode> {
  const votes = new Map<string, number>();
  for (const sentinel of sentinels.filter(({ isRunning }) => isRunning)) {
    const address = (await sentinel.command("SENTINEL", "get-master-addr-by-name", NAME)) as string[];
    const port = address[1] ?? "";
    votes.set(port, (votes.get(port) ?? 0) + 1);
  }
  const [first] = [...votes].toSorted((a, b) => b[1] - a[1]);
  const found = nodes.find(({ port }) => String(port) === first?.[0]);
  if (found === undefined) throw new Error("no sentinel knows the primary");
  return found;
}

/** Throws an error that names what is not ready yet. */
async function checkAll(nodes: readonly RedisNode[], sentinels: readonly RedisNode[]): Promise<void> {
  const primary = await primaryOf(nodes, sentinels);
  if (!primary.isRunning) throw new Error("the primary is gone");
  for (const sentinel of sentinels.filter(({ isRunning }) => isRunning)) {
    const voted = (await sentinel.command("SENTINEL", "get-master-addr-by-name", NAME)) as string[];
    if (voted[1] !== String(primary.port)) throw new Error("the sentinels do not agree");
    await sentinel.command("SENTINEL", "ckquorum", NAME);
  }
  const running = nodes.filter(({ isRunning }) => isRunning);
  for (const node of running) {
    const info = String(await node.command("INFO", "replication"));
    if (node === primary) {
      if (!info.includes("role:master")) throw new Error("the primary is a replica");
      // After a diskless copy, the primary delays changes until the replica has acknowledged the copy.
      const heard = info.match(/^slave\d+:.*,state=online,offset=[1-9]/gm) ?? [];
      if (heard.length < running.length - 1) throw new Error("a replica gets no changes yet");
      continue;
    }
    const follows = `master_port:${primary.port}\r\nmaster_link_status:up`;
    if (!info.includes(follows)) throw new Error(`${node.port} does not follow the primary`);
  }
}
