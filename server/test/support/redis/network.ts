// needs: iproute2, sh, linux

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";

/*
 * A private network for servers that tests separate from each other. The servers run in one network namespace, each
 * with its own address; the tests reach all of them through a pair of virtual devices. During a partition, packets pass
 * only within a group and from the tests. All others are dropped, as by a broken switch: connections stay open and
 * nothing arrives. (Blocking pairs of servers is not enough: Redis retries from any address that reaches the other.)
 * The namespace ends with its process, which exits when its standard input closes, so it never outlives the test.
 */

/** A network namespace with some addresses. Needs root. */
export interface PrivateNetwork extends AsyncDisposable {
  /** Command that runs another command inside the namespace. */
  readonly wrapper: readonly string[];
  readonly addresses: readonly string[];
  /** Lets packets pass only within each group; replaces an earlier partition. */
  partition(groups: readonly (readonly string[])[]): void;
  /** Lets everything pass again. */
  heal(): void;
}

/** Creates a network with `count` addresses. */
export async function openNetwork(count: number): Promise<PrivateNetwork> {
  const keeper = spawn("unshare", ["--net", "sh", "-c", "echo there && exec cat"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(keeper, "close");
  ended.catch(() => undefined);
  try {
    await entered(keeper, ended);
    return layOut(keeper, ended, count);
  } catch (error) {
    keeper.stdin.end();
    throw error;
  }
}

async function entered(keeper: ChildProcess, ended: Promise<unknown>): Promise<void> {
  let complaint = "";
  keeper.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const failed = ended.then(() => {
    throw new Error(`no network namespace (this needs root): ${complaint.trim()}`);
  });
  await Promise.race([once(keeper.stdout as NodeJS.ReadableStream, "data"), failed]);
  failed.catch(() => undefined);
}

/** Sets up the addresses, from the range that is reserved for network tests (198.18.0.0/15, RFC 2544). */
function layOut(keeper: ChildProcess, ended: Promise<unknown>, count: number): PrivateNetwork {
  const wrapper = ["nsenter", `--net=/proc/${keeper.pid}/ns/net`, "--"];
  const inside = (...args: string[]) => execute([...wrapper, "ip", ...args]);
  const subnet = `198.${randomInt(18, 20)}.${randomInt(256)}`;
  const [outer, inner] = [`ac${keeper.pid}o`, `ac${keeper.pid}i`];
  const addresses = Array.from({ length: count }, (_, i) => `${subnet}.${11 + i}`);
  execute(["ip", "link", "add", outer, "type", "veth", "peer", inner, "netns", `${keeper.pid}`]);
  execute(["ip", "address", "add", `${subnet}.1/24`, "dev", outer]);
  execute(["ip", "link", "set", outer, "up"]);
  inside("link", "set", "lo", "up");
  inside("link", "set", inner, "up");
  for (const address of addresses) inside("address", "add", `${address}/24`, "dev", inner);
  // By default, local addresses are routed first. The rules of a partition must come before that.
  inside("rule", "add", "preference", "100", "lookup", "local");
  inside("rule", "delete", "preference", "0");

  const heal = () => {
    for (const line of inside("rule", "list").split("\n")) {
      const preference = Number(/^\d+/.exec(line)?.[0]);
      if (preference < 100) inside("rule", "delete", "preference", String(preference));
    }
  };
  const rule = (preference: number, ...words: string[]) =>
    inside("rule", "add", "preference", String(preference), ...words);
  return {
    wrapper,
    addresses,
    partition(groups) {
      heal();
      rule(1, "to", `${subnet}.1`, "lookup", "main");
      rule(2, "from", `${subnet}.1`, "lookup", "local");
      for (const [from, to] of groups.flatMap(pairsWithin)) {
        rule(3, "from", from, "to", to, "lookup", "local");
      }
      rule(4, "to", `${subnet}.0/24`, "blackhole");
      inside("route", "flush", "cache");
    },
    heal() {
      heal();
      inside("route", "flush", "cache");
    },
    async [Symbol.asyncDispose]() {
      keeper.stdin?.end();
      await ended;
    },
  };
}

/** Returns all ordered pairs of different addresses. */
function pairsWithin(group: readonly string[]): [string, string][] {
  return group.flatMap((from) => group.filter((to) => to !== from).map((to): [string, string] => [from, to]));
}

function execute([program = "", ...args]: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: "pipe" });
}
