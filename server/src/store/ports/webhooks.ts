import type { EventType } from "../../session/event.ts";
import type { Attempt, Delivery, DeliveryState, Endpoint } from "../../session/webhook.ts";

/**
 * Port: endpoints of webhooks, and the queue of deliveries of each (contract.md#webhooks). Each endpoint has its own
 * queue, so an endpoint that does not work delays no other. `eraseSessions` (`ErasureStore`) removes the deliveries of
 * the erased sessions, whatever their state.
 *
 * The order of deliveries: of the pending deliveries of an endpoint and a session, only the oldest is due; the next one
 * becomes due when it is finished. Deliveries without a session wait for none.
 */
export interface WebhookStore {
  /** Returns all endpoints, oldest first. */
  listEndpoints(): Promise<readonly Endpoint[]>;
  /** Stores a new endpoint. Returns false if there are `MAX_ENDPOINTS` already. */
  addEndpoint(endpoint: Endpoint): Promise<boolean>;
  /**
   * Replaces an endpoint by its next state. Returns false and changes nothing unless the stored endpoint has the
   * revision before that of `endpoint`.
   */
  replaceEndpoint(endpoint: Endpoint): Promise<boolean>;
  /** Removes an endpoint with its deliveries. Returns false if there is none with this id. */
  removeEndpoint(id: string, now: number): Promise<boolean>;

  /** Returns the state of the queue of an endpoint; `undefined` if there is no endpoint with this id. */
  readQueue(endpointId: string): Promise<QueueState | undefined>;
  /**
   * Appends deliveries to the queue of an endpoint and stores how far the event log was read, in one atomic step.
   * Returns the ids of the deliveries. Returns `undefined` and changes nothing if there is no such endpoint, or if
   * sessions were erased since `erasures` was read: the events may be those of erased sessions and must be read again.
   */
  queueDeliveries(request: QueueRequest): Promise<readonly string[] | undefined>;
  /** Returns up to `limit` deliveries that are due at `dueBy`, those that have been due for the longest time first. */
  listDue(endpointId: string, dueBy: number, limit: number): Promise<readonly DueDelivery[]>;
  /**
   * Stores the result of an attempt. A success finishes the delivery in any state. A failure changes only a pending
   * delivery: `dueAt` is the time of the next attempt, or `null` if the delivery has failed.
   */
  storeAttempt(result: AttemptResult): Promise<void>;
  /**
   * Marks up to `limit` pending deliveries that were queued before `queuedBefore` as failed (`overdue`), oldest first.
   * Returns their number.
   */
  failOverdue(endpointId: string, queuedBefore: number, limit: number, now: number): Promise<number>;
  /** Makes a delivery of any state due at once, before all others. Returns `undefined` if there is none with this id. */
  redeliver(endpointId: string, deliveryId: string, now: number): Promise<Delivery | undefined>;
  /** Returns a page of the deliveries of an endpoint, newest first. */
  listDeliveries(request: DeliveryListRequest): Promise<DeliveryPage>;
  /**
   * Purges a small batch of finished deliveries that are older than `DELIVERY_RETENTION_MS`, of successful ones beyond
   * the newest `MAX_DELIVERED`, and of those whose endpoint was removed. Returns whether there is more to purge.
   */
  purgeDeliveries(now: number): Promise<boolean>;

  /**
   * Returns whether this process may deliver: `holder` has the lease of the store, or takes it because no other process
   * has it. The lease ends `durationMs` after the last call, or with `releaseLease`.
   */
  holdLease(holder: string, durationMs: number): Promise<boolean>;
  releaseLease(holder: string): Promise<void>;
}

/** Number of successful deliveries of an endpoint that are kept. */
export const MAX_DELIVERED = 10_000;

/** The state of the queue of an endpoint. */
export interface QueueState {
  /** How far the event log was read for the endpoint: `startAfter` of the endpoint, or a later position. */
  readonly cursor: string | null;
  /** Number that increases with each erasure of sessions. */
  readonly erasures: number;
  /** Number of pending deliveries. */
  readonly pending: number;
  /** When the oldest pending delivery was queued, Unix ms; `null` if none is pending. */
  readonly oldestQueuedAt: number | null;
  /** When the next delivery is due, Unix ms; `null` if none is. */
  readonly nextDueAt: number | null;
}

/** Events to queue for an endpoint. */
export interface QueueRequest {
  readonly endpointId: string;
  /** `epoch` of the endpoint as it was read. If the stored one is higher, nothing is queued. */
  readonly epoch: number;
  /** `erasures` of the queue, read before the events. */
  readonly erasures: number;
  /** Position in the event log to store; `undefined` if it does not change. */
  readonly cursor?: string | undefined;
  readonly messages: readonly Message[];
  /** Unix ms. */
  readonly now: number;
}

/** An event in the form in which it is sent. */
export interface Message {
  readonly eventId: string;
  readonly type: EventType;
  /** Handle of the session; `null` if the event is about none. */
  readonly handle: string | null;
  /** The body of the request, JSON. */
  readonly body: string;
  /** Whether it is due before all others. */
  readonly isUrgent?: true;
}

/** A delivery that is due, with its content. */
export interface DueDelivery extends Delivery {
  readonly body: string;
}

/** The result of an attempt. */
export interface AttemptResult {
  readonly endpointId: string;
  readonly deliveryId: string;
  readonly attempt: Attempt;
  readonly isDelivered: boolean;
  /** Unix ms; `null` if no attempt follows. */
  readonly dueAt: number | null;
  /** Unix ms. */
  readonly now: number;
}

/** A request for a page of deliveries. */
export interface DeliveryListRequest {
  readonly endpointId: string;
  /** `null` for all. */
  readonly state: DeliveryState | null;
  /** Id of a delivery: the page has those before it; `null` for the first page. */
  readonly before: string | null;
  readonly limit: number;
}

/** A page of deliveries. */
export interface DeliveryPage {
  readonly deliveries: readonly Delivery[];
  /** `before` of the next page; `null` on the last page. */
  readonly next: string | null;
}
