import { idFields } from "../../session/fields.ts";
import type { RequestRecord } from "../../session/record.ts";
import type { Session } from "../../session/session.ts";
import type { AssociationEvent } from "../../session/timeline.ts";
import type { AuditEntry } from "../audit-chain.ts";
import type { ApiKey } from "./credentials.ts";
import type { StoredResponseItem } from "./idempotency.ts";

/*
 * Export and import: everything that a store holds, as items of JSON values, from one engine to another.
 * The state of an item only grows (ids that are set stay, records are appended, an end is final), so of two states
 * of the same item the newer one can be recognized, and an item may be imported twice or late.
 */

/** Port: export and import of everything that is stored. */
export interface TransferStore {
  /**
   * Returns a small part of everything that is stored at `now`: from the cursor `after` on, or from the beginning. What changes
   * between the pages may be missing or come twice; what does not change between the first and the last page is exported completely.
   */
  exportPage(after: string | null, now: number): Promise<ExportPage>;
  /**
   * Stores items of another store as they are, with what follows from them (held visits, expiry).
   * Items may arrive twice and late: a later state that is stored already stays. Only for a store on which no
   * server runs. Returns the ids of sessions that this engine cannot store, which are skipped.
   */
  importItems(request: ImportRequest): Promise<readonly string[]>;
  /** Returns the cursor of the latest import; `null` when no import into this store is unfinished. */
  importCursor(): Promise<string | null>;
}

/** One exported thing. Times are Unix ms. */
export type TransferItem =
  | SessionItem
  | RecordsItem
  | StoredResponseItem
  | { readonly kind: "key"; readonly key: ApiKey }
  | {
      readonly kind: "secrets";
      /** All of them, newest first. They replace those that the importing store was created with. */
      readonly secrets: readonly { readonly base64: string; readonly createdAt: number }[];
    }
  /** In order; an entry that does not follow the last stored one is skipped. */
  | { readonly kind: "audit"; readonly entry: AuditEntry }
  | { readonly kind: "floor"; readonly floor: number };

/** A session of which something is stored, live or not. */
export interface SessionItem {
  readonly kind: "session";
  readonly session: Session;
  readonly associations: readonly AssociationEvent[];
  /** Number of requests recorded so far, including records that were dropped since. */
  readonly requests: number;
}

/** Consecutive records of a session. They follow its `SessionItem`, in order. */
export interface RecordsItem {
  readonly kind: "records";
  readonly session: Session;
  /** Sequence of the first record. */
  readonly first: number;
  readonly records: readonly RequestRecord[];
}

/** A page of exported items. */
export interface ExportPage {
  readonly items: readonly TransferItem[];
  /** Cursor of the next page; `null` after the last. */
  readonly next: string | null;
  /** Approximate share of everything that has been exported, 0 to 1. */
  readonly progress: number;
}

/** Items to import, and the progress to store with them. */
export interface ImportRequest {
  readonly items: readonly TransferItem[];
  /** Result of `importCursor` from then on; `null` completes the import. */
  readonly cursor: string | null;
  readonly now: number;
}

/** Whether `stored` is a newer state of the session than `arriving`, which then is skipped. */
export function isNewerState(stored: Session, arriving: Session): boolean {
  return (
    stored.lastActiveAt > arriving.lastActiveAt ||
    (stored.ended && !arriving.ended) ||
    idFields.some((field) => stored[field] !== null && arriving[field] === null)
  );
}
