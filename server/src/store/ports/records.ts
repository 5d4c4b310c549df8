import type { Scope } from "../../session/permissions.ts";
import type { RequestRecord } from "../../session/record.ts";
import type { Session } from "../../session/session.ts";
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

  /**
   * Accepts the first record of a session, and sets it aside for `SET_ASIDE_MS` instead of storing it
   * (contract.md#provisional-records). If something is stored of the session, or another record was set aside for it,
   * the record is stored as by `enqueueRecords`. The number of records that are set aside is bounded; the oldest are
   * dropped. May be called until the session is `SET_ASIDE_MS` old. Returns a promise only if it must wait.
   */
  setAside(request: SetAsideRequest): SetAsideResult | Promise<SetAsideResult>;

  /**
   * Stores the record that is set aside for a live session, which is used at `now`; does nothing if there is none. Must
   * be called with the session that `getCached` or `find` has returned. Returns at once: the record is queued, before
   * all records that are queued later. `associate`, `end` and, if a generation is given, `readRecordPage` store it by
   * themselves, before the association, the end or the page.
   */
  storeSetAside(session: Session, now: number): void;

  /** Stores records durably, in order after all records that are already queued. */
  storeRecords(request: StoreRecordsRequest): Promise<{ readonly outcome: "recorded" } | Replay>;

  /**
   * Returns a page of a session's records, including all records that were queued before the call. The session may have
   * ended or expired. Returns `undefined` if there is no session with this id within the scope, or if all its data have
   * been removed.
   */
  readRecordPage(request: RecordPageRequest): Promise<RecordPage | undefined>;
}

/** A request to set a record aside. */
export interface SetAsideRequest {
  /** The live session. */
  readonly session: Session;
  readonly record: RequestRecord;
  /** Unix ms. */
  readonly now: number;
  /**
   * The idempotency key, if the request has one. It is remembered with the record, not stored: a response is stored for
   * 24 hours, and would cost more than the record.
   */
  readonly idempotent?: Pick<IdempotentRequest, "key" | "fingerprint"> | undefined;
  /** Whether the session was created for this request, so that nothing can be stored of it. */
  readonly isNewSession: boolean;
}

/**
 * Result of setting a record aside. `repeated`: the same request was accepted before. `key-reused`: another request used
 * the idempotency key.
 */
export type SetAsideResult = "accepted" | "repeated" | "key-reused";

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
