import type { DatabaseSync } from "node:sqlite";
import { type Attempt, DELIVERY_RETENTION_MS, type Delivery, isNewerDelivery } from "../../../session/webhook.ts";
import { type AttemptResult, MAX_DELIVERED, type Message, type QueueRequest } from "../../ports/webhooks.ts";
import { sqlOf } from "../statements.ts";
import { Stateless } from "../transactional.ts";
import {
  DELIVERED,
  DELIVERY_COLUMNS,
  type DeliveryRow,
  deliveryOf,
  FAILED,
  KEYS_PER_ENDPOINT,
  keyOfDelivery,
  PENDING,
} from "./delivery-row.ts";
import type { EndpointTable } from "./endpoint-table.ts";

/** The maximum number of deliveries that one call of `purge` deletes. */
const ROWS_PURGED = 256;

/** The table `webhook_deliveries` on the writer's connection: the queues of the endpoints. */
export class DeliveryTable extends Stateless {
  readonly #endpoints: EndpointTable;
  readonly #sql;

  constructor(database: DatabaseSync, endpoints: EndpointTable) {
    super();
    this.#endpoints = endpoints;
    const sql = sqlOf(database);
    const ofSession = "session = ?1 AND id BETWEEN ?2 AND ?3";
    const ended = "state = ?1 AND id BETWEEN ?2 AND ?3";
    this.#sql = {
      insert: sql`INSERT INTO webhook_deliveries
           (id, endpoint, event, type, session, body, state, attempts, queued_at, due_at) VALUES (?, ?, ?, ?, ?, ?, ${PENDING}, 0, ?, ?)`,
      import: sql`INSERT OR REPLACE INTO webhook_deliveries
           (id, endpoint, event, type, session, body, state, attempts, queued_at, due_at, finished_at, last_attempt)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      find: sql`SELECT ${DELIVERY_COLUMNS} FROM webhook_deliveries WHERE id = ?`,
      firstPending: sql`SELECT id, due_at AS dueAt FROM webhook_deliveries
         WHERE ${ofSession} AND state = ${PENDING} ORDER BY id LIMIT 1`,
      setDue: sql`UPDATE webhook_deliveries SET due_at = ?1 WHERE id = ?2`,
      retry: sql`UPDATE webhook_deliveries SET attempts = ?1, due_at = ?2, last_attempt = ?3 WHERE id = ?4`,
      finish: sql`UPDATE webhook_deliveries
         SET state = ?1, attempts = ?2, due_at = NULL, finished_at = ?3, last_attempt = ?4 WHERE id = ?5`,
      redeliver: sql`UPDATE webhook_deliveries
         SET state = ${PENDING}, attempts = 0, queued_at = ?1, due_at = 0, finished_at = NULL WHERE id = ?2`,
      overdue: sql`SELECT id, session, attempts FROM webhook_deliveries
         WHERE state = ${PENDING} AND id BETWEEN ?1 AND ?2 AND queued_at < ?3 ORDER BY id LIMIT ?4`,
      ofSessions: sql`SELECT id, endpoint, state FROM webhook_deliveries WHERE session = ?`,
      sessionsOf: sql`SELECT DISTINCT session FROM webhook_deliveries WHERE customer = ? AND session IS NOT NULL`,
      remove: sql`DELETE FROM webhook_deliveries WHERE id = ?`,
      ofRemoved: sql`DELETE FROM webhook_deliveries WHERE id IN
         (SELECT id FROM webhook_deliveries WHERE id BETWEEN ?1 AND ?2 LIMIT ${ROWS_PURGED})`,
      outdated: sql`DELETE FROM webhook_deliveries WHERE finished_at < ?4 AND id IN
         (SELECT id FROM webhook_deliveries WHERE ${ended} ORDER BY id LIMIT ${ROWS_PURGED})`,
      oldestKept: sql`SELECT id FROM webhook_deliveries WHERE ${ended} ORDER BY id DESC LIMIT 1 OFFSET ${MAX_DELIVERED}`,
      excess: sql`DELETE FROM webhook_deliveries WHERE id IN
         (SELECT id FROM webhook_deliveries WHERE ${ended} ORDER BY id LIMIT ${ROWS_PURGED})`,
    };
  }

  /** Appends deliveries and stores the position in the event log (`WebhookStore.queueDeliveries`). */
  queue({ endpointId, epoch, erasures, cursor, messages, now }: QueueRequest): string[] | null {
    const row = this.#endpoints.find(endpointId);
    if (row === undefined || row.endpoint.epoch > epoch || row.erasures !== erasures) return null;
    let sequence = row.lastSequence;
    const ids = messages.map((message) => {
      sequence++;
      this.#insert(row.number, sequence, message, now);
      return String(sequence);
    });
    this.#endpoints.advance(row, cursor ?? row.cursor, sequence);
    this.#endpoints.countPending(row.number, messages.length);
    return ids;
  }

  #insert(endpoint: number, sequence: number, { eventId, type, handle, body, isUrgent }: Message, now: number): void {
    const mustWait = handle !== null && this.#firstPending(endpoint, handle) !== undefined;
    const dueAt = mustWait ? null : isUrgent === true ? 0 : now;
    const id = endpoint * KEYS_PER_ENDPOINT + sequence;
    this.#sql.insert.run(id, endpoint, eventId, type, handle, body, now, dueAt);
  }

  /** Stores a delivery that another store exported, unless a newer state of it is stored or its endpoint is unknown. */
  import(endpointId: string, delivery: Delivery, body: string): void {
    const endpoint = this.#endpoints.find(endpointId);
    const id = endpoint && keyOfDelivery(endpoint.number, delivery.id);
    if (id === undefined || endpoint === undefined) return;
    const { number } = endpoint;
    const stored = this.#find(id);
    if (stored !== undefined && isNewerDelivery(deliveryOf(stored), delivery)) return;
    const { eventId, type, handle, state, attempts, queuedAt, dueAt, finishedAt, lastAttempt } = delivery;
    const times = [finishedAt, lastAttempt === null ? null : JSON.stringify(lastAttempt)];
    const numbers = [stateNumbers[state], attempts, queuedAt, dueAt];
    this.#sql.import.run(id, number, eventId, type, handle, body, ...numbers, ...times);
    const lastSequence = Math.max(endpoint.lastSequence, Number(delivery.id));
    this.#endpoints.advance(endpoint, endpoint.cursor, lastSequence);
    this.#endpoints.countPending(number, Number(state === "pending") - Number(stored?.state === PENDING));
  }

  /** Stores the result of an attempt (`WebhookStore.storeAttempt`). */
  storeAttempt({ endpointId, deliveryId, attempt, isDelivered, dueAt, now }: AttemptResult): void {
    const found = this.#locate(endpointId, deliveryId);
    if (found === undefined) return;
    const { number, row } = found;
    if (row.state !== PENDING && !isDelivered) return;
    const attempts = row.attempts + 1;
    if (isDelivered || dueAt === null) {
      this.#finish(number, row, isDelivered ? DELIVERED : FAILED, { attempts, attempt, now });
    } else this.#sql.retry.run(attempts, dueAt, JSON.stringify(attempt), row.id);
  }

  /** Finishes a delivery, and makes the next one of its session due. */
  #finish(
    endpoint: number,
    { id, session, state }: Pick<DeliveryRow, "id" | "session" | "state">,
    to: number,
    { attempts, attempt, now }: { readonly attempts: number; readonly attempt: Attempt; readonly now: number },
  ): void {
    this.#sql.finish.run(to, attempts, now, JSON.stringify(attempt), id);
    if (state !== PENDING) return;
    this.#endpoints.countPending(endpoint, -1);
    if (session === null) return;
    const next = this.#firstPending(endpoint, session);
    if (next !== undefined && next.dueAt === null) this.#sql.setDue.run(now, next.id);
  }

  /** Fails pending deliveries that are too old (`WebhookStore.failOverdue`). */
  failOverdue(endpointId: string, queuedBefore: number, limit: number, now: number): number {
    const endpoint = this.#endpoints.find(endpointId);
    if (endpoint === undefined) return 0;
    const { number } = endpoint;
    const rows = this.#sql.overdue.all(...keysOf(number), queuedBefore, limit);
    for (const row of rows as unknown as Pick<DeliveryRow, "id" | "session" | "attempts">[]) {
      const attempt: Attempt = { at: now, durationMs: 0, status: null, error: "overdue" };
      this.#finish(number, { ...row, state: PENDING }, FAILED, { attempts: row.attempts, attempt, now });
    }
    return rows.length;
  }

  /** Makes a delivery due at once (`WebhookStore.redeliver`). */
  redeliver(endpointId: string, deliveryId: string, now: number): Delivery | null {
    const found = this.#locate(endpointId, deliveryId);
    if (found === undefined) return null;
    const { number, row } = found;
    this.#sql.redeliver.run(now, row.id);
    if (row.state !== PENDING) this.#endpoints.countPending(number, 1);
    return deliveryOf(this.#find(row.id) ?? row);
  }

  /** Removes all deliveries that are about these sessions. */
  erase(handles: readonly string[]): void {
    for (const handle of handles) {
      for (const row of this.#sql.ofSessions.all(handle)) {
        const { id, endpoint, state } = row as { id: number; endpoint: number; state: number };
        this.#sql.remove.run(id);
        if (state === PENDING) this.#endpoints.countPending(endpoint, -1);
      }
    }
    this.#endpoints.noteErasure();
  }

  /** Removes all deliveries that are about the sessions of a customer, also of sessions that are no longer stored. */
  eraseCustomer(customerId: string): void {
    this.erase(this.#sql.sessionsOf.all(customerId).map((row) => row["session"] as string));
  }

  /** Purges a slice (`WebhookStore.purgeDeliveries`). Returns whether there is more to purge. */
  purge(now: number): boolean {
    const removed = this.#endpoints.removed();
    if (removed !== undefined) {
      const isEmpty = this.#sql.ofRemoved.run(...keysOf(removed)).changes === 0;
      if (isEmpty) this.#endpoints.delete(removed);
      return true;
    }
    let hasMore = false;
    for (const number of this.#endpoints.numbers()) {
      const [first, last] = keysOf(number);
      for (const state of [DELIVERED, FAILED]) {
        const { changes } = this.#sql.outdated.run(state, first, last, now - DELIVERY_RETENTION_MS);
        hasMore ||= Number(changes) === ROWS_PURGED;
      }
      const kept = this.#sql.oldestKept.get(DELIVERED, first, last)?.["id"] as number | undefined;
      if (kept === undefined) continue;
      const { changes } = this.#sql.excess.run(DELIVERED, first, kept);
      hasMore ||= Number(changes) === ROWS_PURGED;
    }
    return hasMore;
  }

  #locate(endpointId: string, deliveryId: string) {
    const endpoint = this.#endpoints.find(endpointId);
    const id = endpoint && keyOfDelivery(endpoint.number, deliveryId);
    const row = id === undefined ? undefined : this.#find(id);
    return endpoint === undefined || row === undefined ? undefined : { number: endpoint.number, row };
  }

  #find(id: number): DeliveryRow | undefined {
    return this.#sql.find.get(id) as unknown as DeliveryRow | undefined;
  }

  /** Returns the oldest pending delivery of a session to an endpoint. */
  #firstPending(endpoint: number, session: string) {
    const row = this.#sql.firstPending.get(session, ...keysOf(endpoint));
    return row as unknown as Pick<DeliveryRow, "id" | "dueAt"> | undefined;
  }
}

const stateNumbers = { pending: PENDING, delivered: DELIVERED, failed: FAILED } as const;

/** Returns the first and the last key of the deliveries of an endpoint. */
export function keysOf(endpoint: number): [first: number, last: number] {
  const first = endpoint * KEYS_PER_ENDPOINT;
  return [first, first + KEYS_PER_ENDPOINT - 1];
}
