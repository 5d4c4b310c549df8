import { type Attempt, type Delivery, type DeliveryState, deliveryStates } from "../../../session/webhook.ts";
import type { DueDelivery } from "../../ports/webhooks.ts";

/** The number of keys of each endpoint in the table `webhook_deliveries`. */
export const KEYS_PER_ENDPOINT = 2 ** 40;

/** The values of the column `state`. */
export const PENDING = 0;
export const DELIVERED = 1;
export const FAILED = 2;

/** The columns of a `DeliveryRow`. */
export const DELIVERY_COLUMNS =
  "id, event, type, session, state, attempts, queued_at AS queuedAt, due_at AS dueAt, finished_at AS finishedAt, last_attempt AS lastAttempt";

/** A row of the table `webhook_deliveries`. */
export interface DeliveryRow {
  readonly id: number;
  readonly event: string;
  readonly type: string;
  readonly session: string | null;
  readonly state: number;
  readonly attempts: number;
  readonly queuedAt: number;
  readonly dueAt: number | null;
  readonly finishedAt: number | null;
  readonly lastAttempt: string | null;
}

/** Returns the key of a delivery; `undefined` if the text is not the id of one. */
export function keyOfDelivery(endpoint: number, id: string): number | undefined {
  if (!/^[1-9]\d{0,11}$/.test(id)) return undefined;
  return endpoint * KEYS_PER_ENDPOINT + Number(id);
}

export function deliveryOf(row: DeliveryRow): Delivery {
  const { attempts, queuedAt, dueAt, finishedAt, lastAttempt } = row;
  return {
    id: String(row.id % KEYS_PER_ENDPOINT),
    eventId: row.event,
    type: row.type as Delivery["type"],
    handle: row.session,
    state: deliveryStates[row.state] as DeliveryState,
    ...{ attempts, queuedAt, dueAt, finishedAt },
    lastAttempt: lastAttempt === null ? null : (JSON.parse(lastAttempt) as Attempt),
  };
}

export function dueDeliveryOf(row: DeliveryRow & { readonly body: string }): DueDelivery {
  return { ...deliveryOf(row), body: row.body };
}
