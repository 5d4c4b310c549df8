import { type Delivery, isNewerDelivery } from "../../../session/webhook.ts";
import type { DeliveryItem, EndpointItem } from "../../ports/transfer.ts";
import type { Operation } from "../engine.ts";
import { deliveryOf, listDeliveries } from "./deliveries.ts";
import { listEndpoints, storeEndpoint } from "./endpoints.ts";
import { listOfKeys, queueKeys } from "./webhook-keys.ts";
import { webhookScripts } from "./webhook-scripts.ts";

/** Reads all endpoints for an export. */
export async function exportEndpoints(operation: Operation): Promise<readonly EndpointItem[]> {
  const endpoints = await listEndpoints(operation);
  return endpoints.map((endpoint) => ({ kind: "endpoint", endpoint: { ...endpoint, startAfter: null } }));
}

/** Stores an endpoint that another store exported. Its queue begins at the start of this log. */
export async function importEndpoint(operation: Operation, { endpoint }: EndpointItem): Promise<void> {
  await storeEndpoint(operation, endpoint, "import");
}

/** Stores a delivery that another store exported, unless a newer state of it is stored. */
export async function importDelivery(operation: Operation, item: DeliveryItem): Promise<void> {
  const keys = queueKeys(operation.engine.options.prefix, item.endpointId);
  const names = listOfKeys(keys);
  const text = (await operation.command("hget", keys.deliveries, item.delivery.id)) as string | null;
  if (text !== null && isNewerDelivery(deliveryOf(item.delivery.id, text), item.delivery)) return;
  const { id, lastAttempt, ...delivery } = item.delivery;
  const stored = { ...delivery, lastAttempt: lastAttempt && JSON.stringify(lastAttempt) };
  await operation.change(webhookScripts.importDelivery, names, [id, JSON.stringify(stored), item.body]);
}

/** The position in an export of deliveries: an index of an endpoint, and the cursor of a scan of its deliveries. */
export interface DeliveryPosition {
  readonly endpoint: number;
  readonly before: string | null;
}

/** Number of deliveries in a page of an export. */
const PAGE = 256;

/** Reads a page of deliveries for an export. `next` is `null` after the last one. */
export async function exportDeliveries(
  operation: Operation,
  { endpoint: index, before }: DeliveryPosition,
): Promise<{ readonly items: readonly DeliveryItem[]; readonly next: DeliveryPosition | null }> {
  const endpoint = (await listEndpoints(operation))[index];
  if (endpoint === undefined) return { items: [], next: null };
  const page = await listDeliveries(operation, { endpointId: endpoint.id, state: null, before, limit: PAGE });
  const bodies = await readBodies(operation, endpoint.id, page.deliveries);
  const items = page.deliveries.flatMap((delivery, i) => {
    const body = bodies[i] ?? null;
    return body === null ? [] : [{ kind: "delivery", endpointId: endpoint.id, delivery, body } as const];
  });
  const isLast = page.next === null;
  return { items, next: isLast ? { endpoint: index + 1, before: null } : { endpoint: index, before: page.next } };
}

async function readBodies(operation: Operation, endpointId: string, deliveries: readonly Delivery[]) {
  if (deliveries.length === 0) return [];
  const { bodies } = queueKeys(operation.engine.options.prefix, endpointId);
  return (await operation.command("hmget", bodies, ...deliveries.map(({ id }) => id))) as (string | null)[];
}
