import type { RedisNode } from "./node.ts";

/** Number of slots of a cluster. */
export const SLOTS = 16_384;

/** The state of a node as the node itself sees it. */
export interface NodeState {
  readonly node: RedisNode;
  readonly id: string;
  readonly isPrimary: boolean;
  /** Id of the node that it replicates; `-` for a primary. */
  readonly follows: string;
  readonly epoch: number;
  /** First and last slot of each range that it serves. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
  /** The states of the other nodes by their ids, as this node sees them. */
  readonly others: ReadonlyMap<string, string>;
}

/** Asks a running node for its state (`CLUSTER NODES`). */
export async function stateOf(node: RedisNode): Promise<NodeState> {
  const lines = String(await node.command("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  const rows = lines.map((line) => line.split(" "));
  const own = rows.find(([, , flags]) => flags?.includes("myself"));
  if (own === undefined) throw new Error(`${node.port} does not know itself`);
  const [id = "", , flags = "", follows = "", , , epoch = "", , ...slots] = own;
  return {
    node,
    id,
    isPrimary: flags.includes("master"),
    follows,
    epoch: Number(epoch),
    ranges: slots.filter((range) => !range.startsWith("[")).map(rangeOf),
    others: new Map(rows.map(([other = "", , how = ""]) => [other, how])),
  };
}

function rangeOf(text: string): [first: number, last: number] {
  const [first = "", last = first] = text.split("-");
  return [Number(first), Number(last)];
}

/** Returns the states of the nodes that respond. */
export async function statesOf(nodes: readonly RedisNode[]): Promise<NodeState[]> {
  const running = nodes.filter(({ isRunning }) => isRunning);
  const states = await Promise.allSettled(running.map(stateOf));
  return states.flatMap((state) => (state.status === "fulfilled" ? [state.value] : []));
}

/** Returns the owner of a slot. If several nodes say that they own it, the one with the highest epoch does. */
export function ownerOf(slot: number, states: readonly NodeState[]): NodeState | undefined {
  return states
    .filter(({ isPrimary, ranges }) => isPrimary && ranges.some(([first, last]) => first <= slot && slot <= last))
    .toSorted((a, b) => b.epoch - a.epoch)[0];
}

/** Throws, with the reasons, if the running nodes do not form a complete cluster yet. */
export async function checkCluster(nodes: readonly RedisNode[]): Promise<void> {
  const running = nodes.filter(({ isRunning }) => isRunning);
  const states = await Promise.all(running.map(stateOf));
  const ids = new Set(states.map(({ id }) => id));
  for (const { node, isPrimary, follows, others } of states) {
    const info = String(await node.command("CLUSTER", "INFO"));
    if (!info.includes("cluster_state:ok")) throw new Error(`${node.port}: the cluster is not ok`);
    for (const [id, how] of others) {
      if (ids.has(id) && /fail|handshake|noaddr/.test(how)) {
        throw new Error(`${node.port} takes ${id} for ${how}`);
      }
    }
    if (isPrimary) continue;
    if (!ids.has(follows)) throw new Error(`${node.port} follows nobody who runs`);
    const link = String(await node.command("INFO", "replication"));
    if (!link.includes("master_link_status:up")) throw new Error(`${node.port} has no link`);
  }
  const served = states
    .filter(({ isPrimary }) => isPrimary)
    .flatMap(({ ranges }) => ranges)
    .reduce((sum, [first, last]) => sum + last - first + 1, 0);
  if (served !== SLOTS) throw new Error(`${served} slots are served`);
}
