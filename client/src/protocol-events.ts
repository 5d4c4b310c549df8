/** Types of events, and of the requests and responses about webhooks. */

import type { Identity, IdName, SessionState } from "./protocol-sessions.ts";

/** A session in an event, right after the change that the event reports. The label is that of the time of reading. */
export interface EventSession extends Identity {
  /** The first 24 characters of the session's id. It names the session and does not open it. */
  readonly handle: string;
  readonly state: SessionState;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  readonly expiresAt: string;
  readonly label: string | null;
}

/** The content of an event by its type. */
interface EventData {
  readonly "session.created": { readonly session: EventSession };
  /** `added` has the names of the ids that were set. */
  readonly "session.associated": { readonly session: EventSession; readonly added: readonly IdName[] };
  readonly "session.rotated": { readonly session: EventSession };
  readonly "session.ended": {
    readonly session: EventSession;
    readonly reason: "caller" | "bulk" | "operator" | "logout";
  };
  readonly "session.expired": { readonly session: EventSession; readonly reason: "idle" | "lifetime" };
  /** `customerHash` is a keyed hash of the customer's id, as in the audit trail. */
  readonly "customer.erased": { readonly customerHash: string };
  readonly "webhook.test": Readonly<Record<string, never>>;
}

/** The type of an event. */
export type EventType = keyof EventData;

/** Something that happened to a session or a customer. Times are ISO 8601 in UTC with milliseconds. */
export type EventInfo = {
  readonly [Type in EventType]: {
    /** The id of the event. It is the same for every reader and every delivery; a reader resumes after it. */
    readonly id: string;
    readonly type: Type;
    /** The time of the change; for `session.expired`, the time at which the session expired. */
    readonly timestamp: string;
    readonly data: EventData[Type];
  };
}[EventType];

/** The request body for creating an endpoint of webhooks. To change one, send the members that change. */
export interface WebhookRequest {
  /** The URL to which events are sent: https, or http where the server allows it. */
  readonly url: string;
  /** The types of events that are sent; all types if it is missing or `null`. */
  readonly types?: readonly Exclude<EventType, "webhook.test">[] | null | undefined;
  /** A text for people, up to 256 characters. */
  readonly description?: string | null | undefined;
  /** Whether events are sent; `true` by default. Events that happen while it is `false` are not sent later. */
  readonly isEnabled?: boolean | undefined;
}

/** An endpoint of webhooks. Times are ISO 8601 in UTC with milliseconds. */
export interface WebhookInfo {
  readonly id: string;
  readonly url: string;
  /** `null` for all types. */
  readonly types: readonly Exclude<EventType, "webhook.test">[] | null;
  readonly description: string | null;
  readonly isEnabled: boolean;
  /** `gone` if the receiver responded 410 and the server has disabled the endpoint; otherwise `null`. */
  readonly disabledReason: "gone" | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The secrets with which messages are signed, newest first, without their values. */
  readonly secrets: readonly { readonly createdAt: string; readonly expiresAt: string | null }[];
  /** Number of deliveries that are not finished. */
  readonly pending: number;
  /** When the oldest of them was queued. */
  readonly oldestPendingAt: string | null;
}

/** An endpoint with its new secret, which is shown only now. */
export interface WebhookWithSecret extends WebhookInfo {
  /** `whsec_` and base64, as the libraries of Standard Webhooks take it. */
  readonly secret: string;
}

/** All endpoints of webhooks, oldest first. */
export interface WebhookList {
  readonly webhooks: readonly WebhookInfo[];
}

/** The request body for rotating the secret of an endpoint. */
export interface WebhookRotation {
  /** Time in seconds for which messages are signed with the old secret too: 0 to 604,800; by default 86,400, a day. */
  readonly graceSeconds?: number | undefined;
}

/** The delivery of an event to an endpoint. */
export interface WebhookDelivery {
  readonly id: string;
  /** Id of the event, the header `webhook-id` of every attempt. */
  readonly eventId: string;
  readonly type: EventType;
  /** Handle of the session that the event is about. */
  readonly handle: string | null;
  readonly state: "pending" | "delivered" | "failed";
  /** Number of attempts since the event was queued or redelivered. */
  readonly attempts: number;
  readonly queuedAt: string;
  /** `null` if the delivery is finished, or waits for an earlier one of the same session. */
  readonly nextAttemptAt: string | null;
  readonly finishedAt: string | null;
  readonly lastAttempt: {
    readonly at: string;
    readonly durationMs: number;
    /** HTTP status of the response; `null` if there was none. */
    readonly status: number | null;
    /** Why there was no response. */
    readonly error:
      | ("timeout" | "unknown-host" | "address-not-allowed" | "tls" | "connection" | "invalid-response" | "overdue")
      | null;
  } | null;
}

/** A page of deliveries, newest first. */
export interface WebhookDeliveryList {
  readonly deliveries: readonly WebhookDelivery[];
  /** Value of `cursor` that returns the next page; `null` on the last page. */
  readonly next: string | null;
}
