import { type NodeState, ownerOf } from "./cluster-state.ts";
import type { RedisNode } from "./node.ts";

const MIGRATE_TIMEOUT = 30_000;
const KEYS_AT_ONCE = 50;

/** Moves one slot with its keys while it is in use. `states` has the states of all running nodes. */
export async function moveSlot(slot: number, states: readonly NodeState[], to: RedisNode): Promise<void> {
  const finish = await beginMove(slot, states, to);
  await finish();
}

/** Begins to move a slot, and moves no key yet. Returns a function that moves the keys and ends the move. */
export async function beginMove(
  slot: number,
  states: readonly NodeState[],
  to: RedisNode,
): Promise<() => Promise<void>> {
  const source = ownerOf(slot, states);
  const target = states.find(({ node }) => node === to);
  if (source === undefined || target?.isPrimary !== true) {
    throw new Error(`the slot ${slot} cannot be moved to ${to.port}`);
  }
  if (source === target) return async () => {};
  await to.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id);
  await source.node.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id);
  return async () => {
    await moveKeys(slot, source.node, to);
    // The new owner learns of the move first, so that the slot has an owner at every moment.
    await to.command("CLUSTER", "SETSLOT", slot, "NODE", target.id);
    await source.node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id);
    for (const { node, isPrimary } of states) {
      if (isPrimary && node !== to && node !== source.node) {
        await node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id);
      }
    }
  };
}

async function moveKeys(slot: number, source: RedisNode, to: RedisNode): Promise<void> {
  for (;;) {
    const found = await source.command("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE);
    const keys = found as string[];
    if (keys.length === 0) return;
    const place = [to.host, to.port, "", 0, MIGRATE_TIMEOUT] as const;
    await source.command("MIGRATE", ...place, "KEYS", ...keys);
  }
}
