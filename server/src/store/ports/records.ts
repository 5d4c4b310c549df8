import type { Scope } from "../../session/permissions.ts";
import type { RequestRecord } from "../../session/record.ts";
import type { RecordPage } from "../../session/timeline.ts";
import type { IdempotentRequest, Replay } from "./idempotency.ts";

/** Port: request records. */
export interface RecordStore {
  /**
   * Queues records of the session and returns at once. The engine stores them within 100 ms, or later if the store
   * cannot write at that time. Returns false if the queue is full; then none of the records was accepted. Records of a
   * session are stored in the order in which they were queued. An association that follows is stored after them.
   */
  enqueueRecords(handle: string, records: readonly RequestRecord[], now: number): boolean;

  /** Stores records durably, in order after all records that are already queued. */
  storeRecords(request: StoreRecordsRequest): Promise<{ readonly outcome: "recorded" } | Replay>;

  /**
   * Returns a page of a session's records, including all records that were queued before the call. The session may have
   * ended or expired. Returns `undefined` if there is no session with this id within the scope, or if all its data have
   * been removed.
   */
  readRecordPage(request: RecordPageRequest): Promise<RecordPage | undefined>;
}

/** A request to store records durably. */
export interface StoreRecordsRequest {
  readonly handle: string;
  readonly records: readonly RequestRecord[];
  /** Unix ms. */
  readonly now: number;
  readonly idempotent?: IdempotentRequest;
}

/** A request for a page of a session's records. */
export interface RecordPageRequest {
  readonly handle: string;
  /** The generation of the caller's id; the session must have it. Without it any generation is read. */
  readonly generation?: number;
  readonly scope: Scope;
  /** The page begins with the record after this sequence; 0 for the first page. */
  readonly after: number;
  /** Maximum number of records. The page has fewer if the records are long. */
  readonly limit: number;
  /** Unix ms. */
  readonly now: number;
}
