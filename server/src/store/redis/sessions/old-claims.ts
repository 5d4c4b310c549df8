import type { NodeClient } from "../connection/node-client.ts";
import type { Engine, Operation } from "../engine.ts";

/** Approximate number of keys that one SCAN examines. */
const KEYS_PER_SCAN = 1000;

/**
 * Gives the claims that a release with the layout 1 has stored their present key names. Must be done before the first
 * request, as requests look at the present names only. No process of such a release may run.
 *
 * May be interrupted, and may be done by several processes, of which some serve requests already. Then a claim that was
 * released meanwhile may be stored again. That does no harm: its session has ended or was refused the visit, so the next
 * contender replaces the claim (`visit-claim.ts`).
 */
export async function moveOldClaims(engine: Engine): Promise<void> {
  let moved = 0;
  // SCAN may miss keys whose slot moves to another node meanwhile.
  for (let found = -1; found !== 0; moved += found) {
    found = 0;
    for (const node of engine.connection.primaries().values()) found += await moveClaimsOf(engine, node);
  }
  if (moved > 0) engine.options.events.noticed("info", `Renamed ${moved} claims of visits in Redis for this release.`);
}

/** Moves the claims on a node, and returns their number. */
async function moveClaimsOf(engine: Engine, node: NodeClient): Promise<number> {
  const { connection, keys } = engine;
  let found = 0;
  let cursor = "0";
  do {
    const operation = engine.begin();
    const words = [cursor, "MATCH", keys.oldClaims, "COUNT", KEYS_PER_SCAN, "TYPE", "string"];
    const reply = await connection.commandOn(operation, node, "scan", ...words);
    const [next, names] = reply as [string, string[]];
    await Promise.all(names.map((name) => moveClaim(operation, name)));
    found += names.length;
    cursor = next;
  } while (cursor !== "0");
  return found;
}

async function moveClaim(operation: Operation, name: string): Promise<void> {
  const reply = await Promise.all([operation.command("get", name), operation.command("pttl", name)]);
  const [claim, life] = reply as [string | null, number];
  // It has expired, or another process has moved it.
  if (claim === null || life === -2) return;
  const left = life < 0 ? operation.engine.claimLife : Math.max(1, life);
  await operation.prepareCommand("set", operation.keys.claimOfOld(name), claim, "PX", left, "NX");
  await operation.command("del", name);
}
