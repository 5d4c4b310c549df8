import type { EventType, LoggedType } from "./event.ts";

/*
 * Webhooks: endpoints to which events are sent, and their deliveries (contract.md#webhooks). The states of a delivery:
 *
 *   waiting (behind an earlier delivery of the same session) --that one is finished--> due
 *   due --attempt--> 2xx: delivered
 *                `--> other, error --> due again later (`webhook-retries.ts`) ... or failed
 *   failed, delivered --redelivered--> due at once
 *
 * A delivery is `pending` while it waits or is due. A finished one is kept for a time, so that operators can see it.
 */

/** The type of events whose deliveries are attempted once: an operator waits for the result. */
export const RETRIED_NEVER: EventType = "webhook.test";

/** Time (ms) for which finished deliveries are kept. */
export const DELIVERY_RETENTION_MS = 14 * 24 * 60 * 60 * 1000;

/** Maximum number of endpoints. */
export const MAX_ENDPOINTS = 50;
/** Maximum number of secrets with which messages of an endpoint are signed at a time. */
export const MAX_SECRETS = 3;

/** A secret of an endpoint, in the form `whsec_…`. Times are Unix ms. */
export interface EndpointSecret {
  readonly secret: string;
  readonly createdAt: number;
  /** When messages are no longer signed with it; `null` for the present secret. */
  readonly expiresAt: number | null;
}

/** An endpoint: where events are sent, and which. Times are Unix ms. */
export interface Endpoint {
  readonly id: string;
  readonly url: string;
  /** The types of events that are sent; `null` for all. */
  readonly types: readonly LoggedType[] | null;
  readonly description: string | null;
  readonly isEnabled: boolean;
  /** Why the service has disabled the endpoint: the receiver responded 410 (gone). `null` otherwise. */
  readonly disabledReason: "gone" | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** At least one; newest first. */
  readonly secrets: readonly EndpointSecret[];
  /** Increases with each change, so that of two changes at the same time one is repeated on the result of the other. */
  readonly revision: number;
  /**
   * Increases each time the endpoint is enabled. Events are then sent from `startAfter` on, and no longer from the
   * position that was reached before.
   */
  readonly epoch: number;
  /** Position in the event log after which events are sent; `null` for the start of the log. */
  readonly startAfter: string | null;
  /** Time (Unix ms) until which nothing is sent, as the receiver has asked (`Retry-After`); missing if it has not. */
  readonly pausedUntil?: number | undefined;
}

/** The states of a delivery. */
export const deliveryStates = ["pending", "delivered", "failed"] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** Why an attempt had no response. */
export const attemptErrors = [
  /** The whole attempt took longer than its time limit. */
  "timeout",
  /** The host name has no address, or could not be resolved. */
  "unknown-host",
  /** Every address of the host is refused, as it is not public and not listed. */
  "address-not-allowed",
  /** TLS failed, or the certificate is not valid for the host. */
  "tls",
  /** The connection could not be made, or it ended before the response. */
  "connection",
  /** The response is not HTTP. */
  "invalid-response",
  /** The delivery was not attempted in time, because the endpoint did not work. */
  "overdue",
] as const;
export type AttemptError = (typeof attemptErrors)[number];

/** An attempt of a delivery. */
export interface Attempt {
  /** Unix ms. */
  readonly at: number;
  readonly durationMs: number;
  /** HTTP status of the response; `null` if there was none. */
  readonly status: number | null;
  readonly error: AttemptError | null;
}

/** An event for an endpoint, without its content. Times are Unix ms. */
export interface Delivery {
  /** Id of the delivery, unique within the endpoint. It increases with each delivery. */
  readonly id: string;
  readonly eventId: string;
  readonly type: EventType;
  /** Handle of the session that the event is about; `null` if it is about none. */
  readonly handle: string | null;
  readonly state: DeliveryState;
  /** Number of attempts since the event was queued or redelivered. */
  readonly attempts: number;
  readonly queuedAt: number;
  /** When the next attempt is due. `null` if the delivery is finished, or waits for an earlier one of its session. */
  readonly dueAt: number | null;
  readonly finishedAt: number | null;
  readonly lastAttempt: Attempt | null;
}

/** Returns whether `stored` is a newer state of the delivery than `arriving`, which another store exported. */
export function isNewerDelivery(stored: Delivery, arriving: Delivery): boolean {
  if (stored.queuedAt !== arriving.queuedAt) return stored.queuedAt > arriving.queuedAt;
  if (stored.attempts !== arriving.attempts) return stored.attempts > arriving.attempts;
  if (stored.state !== arriving.state) return arriving.state === "pending";
  return stored.dueAt !== null && arriving.dueAt === null;
}
