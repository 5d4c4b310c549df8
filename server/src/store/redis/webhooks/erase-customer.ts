import type { Operation } from "../engine.ts";
import { eraseDeliveries } from "./deliveries.ts";
import { type DeliveryPosition, exportDeliveries } from "./transfer.ts";

/**
 * Removes the deliveries that are about the sessions of a customer, also of sessions that are no longer stored. Reads
 * all deliveries, because an index of customers would cost every delivery more than erasures are worth.
 */
export async function eraseCustomerDeliveries(operation: Operation, customerId: string): Promise<void> {
  let position: DeliveryPosition | null = { endpoint: 0, before: null };
  while (position !== null) {
    const page = await exportDeliveries(operation, position);
    const handles = new Set(page.items.flatMap(({ body }) => handleIn(body, customerId)));
    if (handles.size > 0) await eraseDeliveries(operation, [...handles]);
    position = page.next;
  }
}

/** Returns the handle in the body of a delivery, if it is about a session of this customer. */
function handleIn(body: string, customerId: string): string[] {
  const { data } = JSON.parse(body) as { data?: { session?: { handle: string; customerId: string | null } } };
  return data?.session?.customerId === customerId ? [data.session.handle] : [];
}
