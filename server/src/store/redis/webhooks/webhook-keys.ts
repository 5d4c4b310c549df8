import type { DeliveryState } from "../../../session/webhook.ts";

/*
 * The Redis keys of webhooks. Endpoints and the lease share the slot of the other global data; the queue of an endpoint
 * has a slot of its own, so that the queues spread over the primaries of a cluster.
 */

export interface QueueKeys {
  /** Hash: `epoch`, `cursor`, `erasures`, `sequence` of the last delivery, `last` event, `removed`. */
  readonly state: string;
  /** Hash: each delivery as JSON, by its sequence. */
  readonly deliveries: string;
  /** Hash: the content of each delivery, by its sequence. */
  readonly bodies: string;
  /** Sorted set: the sequences of the deliveries that are due, by the time. */
  readonly due: string;
  /** Sorted set: `<handle>:<sequence>` of each delivery that is about a session. */
  readonly sessions: string;
  /** Sorted sets: the sequences of the deliveries in each state. */
  readonly ofState: Readonly<Record<DeliveryState, string>>;
}

export function endpointsKey(prefix: string): string {
  return `${prefix}{fixed}webhooks`;
}

export function leaseKey(prefix: string): string {
  return `${prefix}{fixed}webhook-lease`;
}

export function queueKeys(prefix: string, endpointId: string): QueueKeys {
  const name = (suffix: string) => `${prefix}w:{${endpointId}}${suffix}`;
  const ofState = { pending: name("p"), delivered: name("y"), failed: name("n") };
  return { state: name(""), deliveries: name("d"), bodies: name("b"), due: name("q"), sessions: name("h"), ofState };
}

/** Returns the keys in the order in which the scripts expect them (`scripts/prelude.lua`). */
export function listOfKeys({ state, deliveries, bodies, due, sessions, ofState }: QueueKeys): string[] {
  return [state, deliveries, bodies, due, sessions, ofState.pending, ofState.delivered, ofState.failed];
}
