import type { RequestRecord } from "../session/record.ts";
import { idFields, type Session } from "../session/session.ts";
import type { AssociationEvent } from "../session/timeline.ts";
import type { AuditEntry } from "./audit-chain.ts";
import type { Key, Once } from "./store.ts";

/*
 * What moves from one store into another, engine to engine. Everything is made of JSON's values, as it
 * may come from another process. What changes of an item only ever grows (ids that are set stay,
 * records are appended, an end is final), so of two states of one the newer can be told, and an item
 * may arrive twice or late.
 */

/** One thing that a store keeps. Times are milliseconds since 1970. */
export type Item =
  | SessionItem
  | RecordsItem
  | AnswerItem
  | { readonly kind: "key"; readonly key: Key }
  | {
      readonly kind: "secrets";
      /** All of them, newest first: they take the place of what the other store was born with. */
      readonly secrets: readonly { readonly base64: string; readonly createdAt: number }[];
    }
  /** Come in their order; one that does not follow the last that is there already is dropped. */
  | { readonly kind: "audit"; readonly entry: AuditEntry }
  | { readonly kind: "floor"; readonly floor: number };

/** A session of which something is stored or recorded, live or not. */
export interface SessionItem {
  readonly kind: "session";
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
  /** Requests that were recorded in it, also those that were let go. */
  readonly requests: number;
}

/** Records of a session, some in a row; those of one session come in their order, after itself. */
export interface RecordsItem {
  readonly kind: "records";
  readonly session: Session;
  /** The sequence of the first of them. */
  readonly first: number;
  readonly records: readonly RequestRecord[];
}

/** The first answer to a request with a key. */
export interface AnswerItem {
  readonly kind: "answer";
  readonly once: Once;
  /** The session in which was recorded; `null` when the request created one. */
  readonly id: string | null;
  /** The session that was created; `null` when the request recorded. */
  readonly created: string | null;
  readonly storedAt: number;
}

/** A part of what a store keeps. */
export interface Portion {
  readonly items: readonly Item[];
  /** Where the next portion begins; `null` after the last. */
  readonly next: string | null;
  /** About how much of everything lies before that, 0 to 1. */
  readonly done: number;
}

/** Items that are to be kept as they are, and with them how far the move has come. */
export interface Adoption {
  readonly items: readonly Item[];
  /** What `move` gives from then on. */
  readonly note: string | null;
  readonly now: number;
}

/** Whether `stored` is a later state of the session than `arriving`, which then is to be dropped. */
export function isLater(stored: Session, arriving: Session): boolean {
  return (
    stored.lastActiveAt > arriving.lastActiveAt ||
    (stored.ended && !arriving.ended) ||
    idFields.some((field) => stored[field] !== null && arriving[field] === null)
  );
}
