import { type Attempt, DELIVERY_RETENTION_MS, type Delivery } from "../../../session/webhook.ts";
import {
  type AttemptResult,
  type DeliveryListRequest,
  type DeliveryPage,
  type DueDelivery,
  MAX_DELIVERED,
  type QueueRequest,
  type QueueState,
} from "../../ports/webhooks.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import type { Script } from "../scripts/scripts.ts";
import { findEndpoint, listEndpoints } from "./endpoints.ts";
import { listOfKeys, type QueueKeys, queueKeys } from "./webhook-keys.ts";
import { webhookScripts } from "./webhook-scripts.ts";

/** Maximum number of deliveries that a script purges. It is small, because a script blocks the Redis server. */
const PURGED = 128;

/** A stored delivery. Its sequence is the field of the hash. */
type StoredDelivery = Omit<Delivery, "id" | "lastAttempt"> & { readonly lastAttempt: string | null };

function keysOf({ engine }: Operation, endpointId: string): QueueKeys {
  return queueKeys(engine.options.prefix, endpointId);
}

function change(operation: Operation, endpointId: string, script: Script, args: Argument[]): Promise<unknown> {
  return operation.change(script, listOfKeys(keysOf(operation, endpointId)), args);
}

/** Parses a stored delivery. */
export function deliveryOf(id: string, text: string): Delivery {
  const { eventId, type, handle, state, attempts, queuedAt, dueAt, finishedAt, lastAttempt } = JSON.parse(
    text,
  ) as StoredDelivery;
  return {
    ...{ id, eventId, type, handle, state, attempts, queuedAt, dueAt, finishedAt },
    lastAttempt: lastAttempt === null ? null : (JSON.parse(lastAttempt) as Attempt),
  };
}

export async function readQueue(operation: Operation, endpointId: string): Promise<QueueState | undefined> {
  const { state, due, ofState, deliveries } = keysOf(operation, endpointId);
  const [endpoint, values, pending, first, next] = await Promise.all([
    findEndpoint(operation, endpointId),
    operation.command("hmget", state, "epoch", "cursor", "erasures"),
    operation.command("zcard", ofState.pending),
    operation.command("zrange", ofState.pending, 0, 0),
    operation.command("zrange", due, 0, 0, "WITHSCORES"),
  ]);
  if (endpoint === undefined) return undefined;
  const [epoch, cursor = null, erasures] = values as (string | null)[];
  const [oldest] = first as string[];
  const text = oldest === undefined ? null : await operation.command("hget", deliveries, oldest);
  const [, dueAt] = next as string[];
  return {
    cursor: Number(epoch ?? -1) === endpoint.epoch ? cursor : endpoint.startAfter,
    erasures: Number(erasures ?? 0),
    pending: Number(pending),
    oldestQueuedAt: text === null || oldest === undefined ? null : deliveryOf(oldest, text as string).queuedAt,
    nextDueAt: dueAt === undefined ? null : Number(dueAt),
  };
}

export async function queueDeliveries(operation: Operation, request: QueueRequest) {
  const { endpointId, epoch, erasures, cursor, messages, now } = request;
  if ((await findEndpoint(operation, endpointId)) === undefined) return undefined;
  const args = messages.flatMap(({ eventId, type, handle, body, isUrgent }) => [
    ...[eventId, type, handle ?? "", isUrgent === true ? 1 : 0, body],
  ]);
  const head = [epoch, erasures, cursor === undefined ? 0 : 1, cursor ?? "", now];
  const sequences = await change(operation, endpointId, webhookScripts.queueDeliveries, [...head, ...args]);
  return (sequences as string[] | null) ?? undefined;
}

export async function listDue(
  operation: Operation,
  endpointId: string,
  dueBy: number,
  limit: number,
): Promise<readonly DueDelivery[]> {
  const { due, deliveries, bodies } = keysOf(operation, endpointId);
  const range = ["-inf", dueBy, "BYSCORE", "LIMIT", 0, limit];
  const sequences = (await operation.command("zrange", due, ...range)) as string[];
  if (sequences.length === 0) return [];
  const [texts, contents] = (await Promise.all([
    operation.command("hmget", deliveries, ...sequences),
    operation.command("hmget", bodies, ...sequences),
  ])) as [(string | null)[], (string | null)[]];
  return sequences.flatMap((sequence, i) => {
    const [text, body] = [texts[i] ?? null, contents[i] ?? null];
    // The delivery was erased in the meantime.
    return text === null || body === null ? [] : [{ ...deliveryOf(sequence, text), body }];
  });
}

export async function storeAttempt(operation: Operation, result: AttemptResult): Promise<void> {
  const { endpointId, deliveryId, attempt, isDelivered, dueAt, now } = result;
  const args = [deliveryId, isDelivered ? 1 : 0, dueAt ?? "", now, JSON.stringify(attempt)];
  await change(operation, endpointId, webhookScripts.storeAttempt, args);
}

export async function failOverdue(
  operation: Operation,
  endpointId: string,
  queuedBefore: number,
  limit: number,
): Promise<number> {
  const attempt: Attempt = { at: operation.now, durationMs: 0, status: null, error: "overdue" };
  const args = [queuedBefore, Math.min(limit, PURGED), operation.now, JSON.stringify(attempt)];
  return Number(await change(operation, endpointId, webhookScripts.failOverdue, args));
}

export async function redeliver(
  operation: Operation,
  endpointId: string,
  deliveryId: string,
): Promise<Delivery | undefined> {
  const text = await change(operation, endpointId, webhookScripts.redeliver, [deliveryId, operation.now]);
  return text === null ? undefined : deliveryOf(deliveryId, text as string);
}

export async function listDeliveries(
  operation: Operation,
  { endpointId, state, before, limit }: DeliveryListRequest,
): Promise<DeliveryPage> {
  const { deliveries, ofState } = keysOf(operation, endpointId);
  if (before !== null && !/^[1-9]\d{0,11}$/.test(before)) return { deliveries: [], next: null };
  const end = before === null ? "+inf" : `(${before}`;
  const names = state === null ? Object.values(ofState) : [ofState[state]];
  const range = [end, "-inf", "BYSCORE", "REV", "LIMIT", 0, limit];
  const found = await Promise.all(names.map((name) => operation.command("zrange", name, ...range)));
  const newest = (found as string[][]).flat().toSorted((a, b) => Number(b) - Number(a));
  // A delivery that changes its state between two of the commands may be found twice.
  const sequences = [...new Set(newest)].slice(0, limit);
  if (sequences.length === 0) return { deliveries: [], next: null };
  const texts = (await operation.command("hmget", deliveries, ...sequences)) as (string | null)[];
  const page = sequences.flatMap((sequence, i) => {
    const text = texts[i] ?? null;
    return text === null ? [] : [deliveryOf(sequence, text)];
  });
  return { deliveries: page, next: sequences.length < limit ? null : (sequences.at(-1) ?? null) };
}

/** Purges a slice of the queue of each endpoint. Returns whether there is more to purge. */
export async function purgeDeliveries(operation: Operation): Promise<boolean> {
  const args = [operation.now - DELIVERY_RETENTION_MS, MAX_DELIVERED, PURGED];
  let hasMore = false;
  for (const { id } of await listEndpoints(operation)) {
    const purged = Number(await change(operation, id, webhookScripts.purgeDeliveries, args));
    hasMore ||= purged >= PURGED;
  }
  return hasMore;
}

/** Removes the deliveries that are about these sessions. */
export async function eraseDeliveries(operation: Operation, handles: readonly string[]): Promise<void> {
  const endpoints = await listEndpoints(operation);
  await Promise.all(endpoints.map(({ id }) => change(operation, id, webhookScripts.eraseDeliveries, [...handles])));
}
