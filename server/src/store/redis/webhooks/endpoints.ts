import { type Endpoint, MAX_ENDPOINTS } from "../../../session/webhook.ts";
import type { Operation } from "../engine.ts";
import { endpointsKey, leaseKey, listOfKeys, queueKeys } from "./webhook-keys.ts";
import { webhookScripts } from "./webhook-scripts.ts";

function prefixOf({ engine }: Operation): string {
  return engine.options.prefix;
}

/** Reads all endpoints, oldest first. */
export async function listEndpoints(operation: Operation): Promise<readonly Endpoint[]> {
  const texts = (await operation.command("hvals", endpointsKey(prefixOf(operation)))) as string[];
  const endpoints = texts.map((text) => JSON.parse(text) as Endpoint);
  return endpoints.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

export async function findEndpoint(operation: Operation, id: string): Promise<Endpoint | undefined> {
  const text = (await operation.command("hget", endpointsKey(prefixOf(operation)), id)) as string | null;
  return text === null ? undefined : (JSON.parse(text) as Endpoint);
}

/** Stores an endpoint. Returns false if it is refused (`scripts/store-endpoint.lua`). */
export async function storeEndpoint(
  operation: Operation,
  endpoint: Endpoint,
  how: "add" | "replace" | "import",
): Promise<boolean> {
  const args = [endpoint.id, JSON.stringify(endpoint), how, MAX_ENDPOINTS];
  return (await operation.change(webhookScripts.storeEndpoint, [endpointsKey(prefixOf(operation))], args)) === 1;
}

/** Removes an endpoint: its queue first, so that a crash in between leaves an endpoint that can be removed again. */
export async function removeEndpoint(operation: Operation, id: string): Promise<boolean> {
  if ((await findEndpoint(operation, id)) === undefined) return false;
  const prefix = prefixOf(operation);
  await operation.change(webhookScripts.removeQueue, listOfKeys(queueKeys(prefix, id)), []);
  return Number(await operation.write("hdel", endpointsKey(prefix), id)) === 1;
}

/** Takes or keeps the lease. Returns whether `holder` has it. */
export async function holdLease(operation: Operation, holder: string, durationMs: number): Promise<boolean> {
  const names = [leaseKey(prefixOf(operation))];
  return (await operation.run(webhookScripts.holdLease, names, [holder, durationMs])) === 1;
}

export async function releaseLease(operation: Operation, holder: string): Promise<void> {
  await operation.run(webhookScripts.releaseLease, [leaseKey(prefixOf(operation))], [holder]);
}
