import type { IdField } from "./fields.ts";
import type { Identity } from "./session.ts";

/*
 * Events: what happens to sessions and customers, as the event log publishes it (contract.md#events). Each event is
 * stored in the same atomic step as its change. Its order in the log is the order of the changes of each session.
 */

/** The types of the events in the log. */
export const loggedTypes = [
  "session.created",
  "session.associated",
  "session.rotated",
  "session.ended",
  "session.expired",
  "customer.erased",
] as const;
export type LoggedType = (typeof loggedTypes)[number];

/** The types of all events. */
export const eventTypes = [...loggedTypes, "webhook.test"] as const;
export type EventType = (typeof eventTypes)[number];

/** Why a session was ended: by its caller, with others, by an operator, or by the identity provider. */
export const endReasons = ["caller", "bulk", "operator", "logout"] as const;
export type EndReason = (typeof endReasons)[number];

/** Why a session has expired: it was not used for the idle time, or its total life is over. */
export type ExpiryReason = "idle" | "lifetime";

/**
 * A session as an event shows it. The identity and the times are those right after the change. The label is that of
 * the time of reading. It has no id that opens the session.
 */
export interface EventSession extends Identity {
  readonly handle: string;
  /** Unix ms, as are the other times. */
  readonly createdAt: number;
  readonly lastActiveAt: number;
  readonly expiresAt: number;
  readonly label: string | null;
}

/** An id of an event has fixed lengths, so that ids sort in the order of the log: time and sequence, in base 36. */
const EVENT_ID = /^[0-9a-z]{9}-[0-9a-z]{10}$/;

/** Returns whether a text has the form of the id of an event. */
export function isEventId(text: string): boolean {
  return EVENT_ID.test(text);
}

/** Returns whether a reader may ask for the events after this place: after an event, or from `start` or `end` of the log. */
export function isEventPlace(text: string): boolean {
  return text === "start" || text === "end" || isEventId(text);
}

interface Stamped {
  /**
   * The id of the event, the same for every reader. It is opaque; within a store, ids sort in the order of the log, and
   * a reader continues after the event that an id names.
   */
  readonly id: string;
  /** The time of the change (Unix ms). For an expiry, the time at which the session expired. */
  readonly timestamp: number;
}

/** An event about a session. */
export type SessionEvent = Stamped & { readonly session: EventSession } & (
    | { readonly type: "session.created" }
    | {
        readonly type: "session.associated";
        /** The ids that were set. */
        readonly added: readonly IdField[];
      }
    | { readonly type: "session.rotated" }
    | { readonly type: "session.ended"; readonly reason: EndReason }
    | { readonly type: "session.expired"; readonly reason: ExpiryReason }
  );

/** An event of the log. */
export type LoggedEvent =
  | SessionEvent
  | (Stamped & {
      readonly type: "customer.erased";
      /** The keyed hash of the customer's id, as in the audit trail (`log-hash.ts`). */
      readonly customerHash: string;
    });

/** An event that is sent to a webhook to try it out. It is not in the log. */
export type TestEvent = Stamped & { readonly type: "webhook.test" };

/** An event. */
export type Event = LoggedEvent | TestEvent;

/** Conditions on events, all of which must be met; `null` stands for no condition. */
export interface EventFilter {
  readonly types: ReadonlySet<LoggedType> | null;
  /** The customer that the event is about. `hash` finds the event that the customer was erased. */
  readonly customer: { readonly id: string; readonly hash: string } | null;
}

/** The filter that every event meets. */
export const anyEvent: EventFilter = { types: null, customer: null };

/** Returns whether the event meets the conditions. */
export function isEventMatch(event: LoggedEvent, { types, customer }: EventFilter): boolean {
  if (types !== null && !types.has(event.type)) return false;
  if (customer === null) return true;
  if ("session" in event) return event.session.customerId === customer.id;
  return event.type === "customer.erased" && event.customerHash === customer.hash;
}
