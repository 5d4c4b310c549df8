import type { DatabaseSync } from "node:sqlite";
import { deliveryStates, type Endpoint } from "../../../session/webhook.ts";
import type { EndpointItem } from "../../ports/transfer.ts";
import type { DeliveryListRequest, DeliveryPage, DueDelivery, QueueState } from "../../ports/webhooks.ts";
import {
  DELIVERY_COLUMNS,
  type DeliveryRow,
  deliveryOf,
  dueDeliveryOf,
  keyOfDelivery,
  PENDING,
} from "./delivery-row.ts";
import { keysOf } from "./delivery-table.ts";

/*
 * Reads of the serving thread. The writer has no newer state in memory, so the file is enough.
 */

/** Reads all endpoints, oldest first. */
export function readEndpoints(database: DatabaseSync): Endpoint[] {
  const rows = database.prepare("SELECT endpoint FROM webhook_endpoints WHERE endpoint IS NOT NULL").all();
  const endpoints = rows.map((row) => JSON.parse(row["endpoint"] as string) as Endpoint);
  return endpoints.toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** Reads all endpoints for an export. */
export function readEndpointItems(database: DatabaseSync): EndpointItem[] {
  return readEndpoints(database).map((endpoint) => ({ kind: "endpoint", endpoint: { ...endpoint, startAfter: null } }));
}

function numberOf(database: DatabaseSync, endpointId: string): number | undefined {
  const found = database.prepare("SELECT number FROM webhook_endpoints WHERE id = ? AND endpoint IS NOT NULL");
  return found.get(endpointId)?.["number"] as number | undefined;
}

/** Reads the state of the queue of an endpoint. */
export function readQueue(database: DatabaseSync, endpointId: string): QueueState | undefined {
  const row = database
    .prepare(
      `SELECT cursor, erasures, pending,
         (SELECT queued_at FROM webhook_deliveries
          WHERE state = ${PENDING} AND id BETWEEN number * ?2 AND number * ?2 + ?2 - 1 ORDER BY id LIMIT 1) AS oldestQueuedAt,
         (SELECT min(due_at) FROM webhook_deliveries WHERE endpoint = number AND due_at IS NOT NULL) AS nextDueAt
       FROM webhook_endpoints WHERE id = ?1 AND endpoint IS NOT NULL`,
    )
    .get(endpointId, 2 ** 40);
  return row && ({ ...row } as unknown as QueueState);
}

/** Reads the deliveries of an endpoint that are due at `dueBy` (Unix ms). */
export function readDue(database: DatabaseSync, endpointId: string, dueBy: number, limit: number): DueDelivery[] {
  const number = numberOf(database, endpointId);
  if (number === undefined) return [];
  const rows = database.prepare(
    `SELECT ${DELIVERY_COLUMNS}, body FROM webhook_deliveries
     WHERE endpoint = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?`,
  );
  return (rows.all(number, dueBy, limit) as unknown as (DeliveryRow & { body: string })[]).map(dueDeliveryOf);
}

/** Reads a page of the deliveries of an endpoint, newest first. */
export function readDeliveries(
  database: DatabaseSync,
  { endpointId, state, before, limit }: DeliveryListRequest,
): DeliveryPage {
  const number = numberOf(database, endpointId);
  const end = number === undefined || before === null ? undefined : keyOfDelivery(number, before);
  if (number === undefined || (before !== null && end === undefined)) return { deliveries: [], next: null };
  const [first, last] = keysOf(number);
  const condition = state === null ? "" : `state = ${deliveryStates.indexOf(state)} AND`;
  const rows = database
    .prepare(
      `SELECT ${DELIVERY_COLUMNS} FROM webhook_deliveries
       WHERE ${condition} id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?`,
    )
    .all(first, end === undefined ? last : end - 1, limit);
  const deliveries = (rows as unknown as DeliveryRow[]).map(deliveryOf);
  return { deliveries, next: deliveries.length < limit ? null : (deliveries.at(-1)?.id ?? null) };
}

/** Reads at most `limit` deliveries with their content after the key `after`, for an export. */
export function readDeliveriesAfter(database: DatabaseSync, after: number, limit: number) {
  const rows = database.prepare(
    `SELECT webhook_endpoints.id AS endpointId, body,
       ${DELIVERY_COLUMNS.split(", ")
         .map((column) => `webhook_deliveries.${column}`)
         .join(", ")}
     FROM webhook_deliveries JOIN webhook_endpoints ON number = webhook_deliveries.endpoint
     WHERE webhook_deliveries.id > ? AND webhook_endpoints.endpoint IS NOT NULL
     ORDER BY webhook_deliveries.id LIMIT ?`,
  );
  const found = rows.all(after, limit) as unknown as (DeliveryRow & { endpointId: string; body: string })[];
  return found.map((row) => ({
    key: row.id,
    item: { kind: "delivery", endpointId: row.endpointId, delivery: deliveryOf(row), body: row.body } as const,
  }));
}
