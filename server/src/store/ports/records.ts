import type { Scope } from "../../session/permissions.ts";
import type { RequestRecord } from "../../session/record.ts";
import type { RecordPage } from "../../session/timeline.ts";
import type { IdempotentRequest, Replay } from "./idempotency.ts";

/** Port: request records. */
export interface RecordStore {
  /**
   * Queues records of the session and returns at once. They are stored within 100 ms, or as soon as the store
   * can. Returns false if the queue is full; then none was accepted. Records of a session keep
   * the order in which they were queued, also relative to its associations.
   */
  enqueueRecords(id: string, records: readonly RequestRecord[], now: number): boolean;

  /** Stores records durably, after those that were queued before. */
  storeRecords(request: StoreRecordsRequest): Promise<{ readonly outcome: "recorded" } | Replay>;

  /**
   * Returns a page of the records of a session, live or not, including all that were queued before.
   * Returns `undefined` if there is no such session within the scope or nothing of it is left.
   */
  readRecordPage(request: RecordPageRequest): Promise<RecordPage | undefined>;
}

/** A request to store records durably. */
export interface StoreRecordsRequest {
  /** The session's id. */
  readonly id: string;
  readonly records: readonly RequestRecord[];
  /** Unix ms. */
  readonly now: number;
  readonly idempotent?: IdempotentRequest;
}

/** A request for a page of a session's records. */
export interface RecordPageRequest {
  /** The session's id. */
  readonly id: string;
  readonly scope: Scope;
  /** The page begins after the record with this sequence. */
  readonly after: number;
  /** Maximum number of records; a page of long records has fewer. */
  readonly limit: number;
  readonly now: number;
}
