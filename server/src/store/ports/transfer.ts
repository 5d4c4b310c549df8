import { idFields } from "../../session/fields.ts";
import type { RequestRecord } from "../../session/record.ts";
import type { Session } from "../../session/session.ts";
import type { AssociationEvent } from "../../session/timeline.ts";
import type { Delivery, Endpoint } from "../../session/webhook.ts";
import type { AuditEntry } from "../audit-chain.ts";
import type { ApiKey } from "./credentials.ts";
import type { StoredResponseItem } from "./idempotency.ts";

/*
 * Export and import copy everything in a store to another store, perhaps of another engine. The data are transferred as
 * items, which consist of JSON values. The state of an item only grows: ids that are set stay, records are appended, a
 * generation only increases, an end is final, whatever replaces a profile or a label is a later use, and data have the time
 * of their last change. So the newer of two states of an item can be recognized, and an item may be imported twice, or after a newer state of it.
 */

/** Port: export and import of all stored data. */
export interface TransferStore {
  /**
   * Returns a page of the data that are stored at `now`: the page at the cursor `after`, or the first page if `after`
   * is `null`. All pages together contain everything that does not change during the export. Data that change during
   * the export may be missing or appear twice.
   */
  exportPage(after: string | null, now: number): Promise<ExportPage>;
  /**
   * Stores items that another store exported, and the data that follow from them: held visits, expiry. If a newer state
   * of an item is stored, that state stays. No server may run on this store during the import. Skips sessions that this
   * engine cannot store, and returns their handles.
   */
  importItems(request: ImportRequest): Promise<readonly string[]>;
  /** Returns the cursor of an import that is not complete yet; `null` if there is none. */
  importCursor(): Promise<string | null>;
}

/** An item of an export. Times are Unix ms. */
export type TransferItem =
  | SessionItem
  | RecordsItem
  | StoredResponseItem
  | { readonly kind: "key"; readonly key: ApiKey }
  | {
      readonly kind: "secrets";
      /** All secrets, newest first. They replace all secrets of the importing store. */
      readonly secrets: readonly { readonly base64: string; readonly createdAt: number }[];
    }
  | EndpointItem
  | DeliveryItem
  /** Audit entries are exported in order. On import, an entry that does not follow the last stored one is skipped. */
  | { readonly kind: "audit"; readonly entry: AuditEntry }
  /** The latest time that was stored (Unix ms). */
  | { readonly kind: "floor"; readonly floor: number };

/** A session for which something is stored. It may have ended or expired. */
export interface SessionItem {
  readonly kind: "session";
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
  /** Number of all recorded requests, including those whose records were dropped. */
  readonly requests: number;
  /** The session's data; missing if it has never had any. */
  readonly data?: TransferredData;
}

/** The data of a session, and when they were changed last (Unix ms). `json` is `NO_DATA` if the session is over. */
export interface TransferredData {
  readonly json: string;
  readonly changedAt: number;
}

/** Consecutive records of a session. The export contains them in order, after the `SessionItem` of the session. */
export interface RecordsItem {
  readonly kind: "records";
  readonly session: Session;
  /** Sequence of the first record. */
  readonly first: number;
  readonly records: readonly RequestRecord[];
}

/**
 * An endpoint of webhooks. The event log is not exported, and a position in it means nothing in another log. So
 * `startAfter` is `null`, and events of the importing store are queued from the start of its log on.
 */
export interface EndpointItem {
  readonly kind: "endpoint";
  readonly endpoint: Endpoint;
}

/** A delivery with its content. The export contains it after the `EndpointItem` of its endpoint. */
export interface DeliveryItem {
  readonly kind: "delivery";
  readonly endpointId: string;
  readonly delivery: Delivery;
  readonly body: string;
}

/** A page of exported items. */
export interface ExportPage {
  readonly items: readonly TransferItem[];
  /** Cursor of the next page; `null` if this is the last page. */
  readonly next: string | null;
  /** Approximate part of the data that has been exported so far, from 0 to 1. */
  readonly progress: number;
}

/** Items to import, and the progress to store with them. */
export interface ImportRequest {
  readonly items: readonly TransferItem[];
  /** Cursor that `importCursor` returns from now on; `null` if this call completes the import. */
  readonly cursor: string | null;
  readonly now: number;
}

/** Returns whether `stored` is a newer state of the session than `arriving`. If it is, `arriving` is skipped. */
export function isNewerState(stored: Session, arriving: Session): boolean {
  return (
    stored.lastActiveAt > arriving.lastActiveAt ||
    stored.generation > arriving.generation ||
    (stored.ended && !arriving.ended) ||
    idFields.some((field) => stored[field] !== null && arriving[field] === null)
  );
}
