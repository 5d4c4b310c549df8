// needs: redis-server, sh

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { isFree } from "../support/free-ports.ts";
import { root } from "./build.ts";

/*
 * Starts Redis nodes with the configuration and scripts of `deploy/redis/`, but with other paths and ports. Each node
 * has its own loopback address, as it would have its own address in a container network.
 */

const execute = promisify(execFile);
const folderOfScripts = join(root, "deploy/redis");

export const PASSWORD = "correct-horse-battery-staple";

/** The settings that all nodes of one cluster share. */
export interface Site {
  /** Folder that contains a data folder for each node. */
  readonly folder: string;
  readonly port: number;
  readonly authFile: string;
}

/** Writes the password file and finds a port that is free, like its cluster bus port, on all `addresses`. */
export async function prepareSite(folder: string, addresses: readonly string[]): Promise<Site> {
  const authFile = join(folder, "redis-auth.conf");
  writeFileSync(authFile, `requirepass ${PASSWORD}\nmasterauth ${PASSWORD}\n`, { mode: 0o600 });
  for (;;) {
    const port = randomInt(12_000, 22_000);
    const listens = addresses.flatMap((host) => [isFree(host, port), isFree(host, port + 10_000)]);
    if ((await Promise.all(listens)).every(Boolean)) return { folder, port, authFile };
  }
}

/** Writes a node's `redis.conf`, adapted to its folder, port and address; returns the path. */
function configOf({ folder, port, authFile }: Site, name: string, address: string): string {
  const data = join(folder, name);
  mkdirSync(data, { recursive: true });
  const text = readFileSync(join(folderOfScripts, "redis.conf"), "utf8");
  const replacements = [
    ["include /run/secrets/redis-auth.conf", `include ${authFile}`],
    ["port 6379", `port ${port}`],
    ["dir /data", `dir ${data}`],
  ] as const;
  const own = replacements.reduce((before, [from, to]) => {
    if (!before.includes(`\n${from}\n`)) throw new Error(`redis.conf does not say: ${from}`);
    return before.replace(from, to);
  }, text);
  const file = join(data, "redis.conf");
  writeFileSync(file, `${own}\nbind ${address}\n`);
  return file;
}

/** Running Redis nodes. Disposing of this stops them. */
export interface Nodes extends AsyncDisposable {
  /** Returns what the nodes have printed so far. */
  output(): string;
}

/** Starts a node at each address with the script that the pods use. Does not wait until they are ready. */
export function startNodes(site: Site, addresses: readonly string[]): Nodes {
  let output = "";
  const children = addresses.map((address, i) => {
    const child = spawn("sh", [join(folderOfScripts, "start-node.sh")], {
      env: {
        ...process.env,
        NODE_ADDRESS: address,
        NODE_NAME: `redis-${i}.redis`,
        PEERS: addresses.join(" "),
        PORT: String(site.port),
        CONFIG: configOf(site, `redis-${i}`, address),
        REDIS_AUTH_FILE: site.authFile,
      },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group, so that the signal in `end` also stops the script's background process.
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    return child;
  });
  return {
    output: () => output,
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(end));
    },
  };
}

/** Stops a node with SIGTERM, like Kubernetes, so that Redis saves its data. */
async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
  await closed;
}

/** Runs the script that joins the nodes to one cluster, and returns its output. */
export async function formCluster(site: Site, addresses: readonly string[]): Promise<string> {
  const nodes = addresses.map((address) => `${address}:${site.port}`);
  const env = { ...process.env, REDIS_AUTH_FILE: site.authFile };
  const { stderr } = await execute("sh", [join(folderOfScripts, "form-cluster.sh"), ...nodes], {
    env,
    timeout: 180_000,
  });
  return stderr;
}

/** Sends a command to the node at `address` and returns the reply. */
export async function send(site: Site, address: string, ...words: string[]): Promise<string> {
  const env = { ...process.env, REDISCLI_AUTH: PASSWORD };
  const args = ["-h", address, "-p", String(site.port), ...words];
  const { stdout } = await execute("redis-cli", args, { env, timeout: 30_000 });
  return stdout.trim();
}

/** Repeats a command until `isRight` accepts the reply; throws after 90 s. */
export async function sendUntil(
  isRight: (answer: string) => boolean,
  ...question: Parameters<typeof send>
): Promise<void> {
  const until = performance.now() + 90_000;
  for (let answer = ""; ; await delay(100)) {
    answer = await send(...question).catch(String);
    if (isRight(answer)) return;
    if (performance.now() > until) throw new Error(answer);
  }
}
