import { faultOf, NO_SUCH_COMMAND, RedisFault } from "./faults.ts";
import type { Address } from "./place.ts";
import { SLOTS } from "./slots.ts";

/** The nodes of a cluster and their slots, as one of the nodes sees them. */
export interface ClusterMap {
  /** Number that increases with each failover; 0 if the user of Redis may not query it. */
  readonly epoch: number;
  /** Ranges of slots, with the first and the last slot. */
  readonly ranges: readonly { readonly first: number; readonly last: number; readonly primary: Address }[];
  /** Addresses of all nodes. */
  readonly nodes: readonly Address[];
}

/** A connection on which a node is asked. */
interface Asked {
  call(...words: string[]): Promise<unknown>;
}

/** Reads the map from a node at `host`. Rejects with a `RedisFault`, also if the cluster does not work. */
export async function readClusterMap(node: Asked, host: string): Promise<ClusterMap> {
  const [info, slots] = await Promise.all([readInfo(node), node.call("cluster", "slots")]);
  if (/^cluster_state:fail/m.test(info)) {
    throw new RedisFault("CLUSTERDOWN", "CLUSTERDOWN: the cluster does not serve all slots");
  }
  const nodes = new Map<string, Address>();
  const ranges = arrayOf(slots).map((range) => {
    const [first, last, ...members] = arrayOf(range);
    const [primary] = members.map((member) => addressOf(member, host));
    if (!isSlot(first) || !isSlot(last) || primary === undefined) throw malformed();
    for (const member of members) {
      const address = addressOf(member, host);
      if (address.host !== "?") nodes.set(`${address.host}:${address.port}`, address);
    }
    return { first, last, primary };
  });
  if (ranges.length === 0) throw new RedisFault("CLUSTERDOWN", "CLUSTERDOWN: the cluster does not serve all slots");
  return { epoch: Number(/^cluster_current_epoch:(\d+)/m.exec(info)?.[1] ?? 0), ranges, nodes: [...nodes.values()] };
}

/**
 * Reads which slots a node serves whole: without those that are being moved from it or to it. Rejects with a
 * `RedisFault`.
 */
export async function readOwnSlots(send: (name: string, ...args: string[]) => Promise<unknown>): Promise<Set<number>> {
  const lines = String(await send("cluster", "nodes")).split("\n");
  const [own = ""] = lines.filter((line) => line.split(" ")[2]?.split(",").includes("myself"));
  const slots = new Set<number>();
  // A line has eight words, then ranges such as `0-5460` and `7`, then slots that are being moved, such as `[93->-…]`.
  const [ranges, moves] = [own.split(" ").slice(8), /^\[(\d+)-[<>]-/];
  for (const range of ranges) {
    const [first = Number.NaN, last = first] = range.split("-").map(Number);
    for (let slot = first; slot <= last; slot++) slots.add(slot);
  }
  for (const range of ranges) slots.delete(Number(moves.exec(range)?.[1]));
  return slots;
}

async function readInfo(node: Asked): Promise<string> {
  try {
    return String(await node.call("cluster", "info"));
  } catch (error) {
    const fault = faultOf(error);
    if (["NOPERM", NO_SUCH_COMMAND].includes(fault.code)) return "";
    throw fault;
  }
}

/** Returns the address of a member of a range. A node that does not know its own address leaves the host out. */
function addressOf(member: unknown, host: string): Address {
  const [name, port] = arrayOf(member);
  if (typeof port !== "number" || (name !== null && typeof name !== "string")) throw malformed();
  return { host: name === null || name === "" ? host : name, port };
}

function arrayOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function isSlot(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < SLOTS;
}

function malformed(): RedisFault {
  return new RedisFault("", "the node does not describe the slots of the cluster");
}
