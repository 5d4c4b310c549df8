import { type CallOptions, createRequestSender, type Ids, type TaggedData, type TransportOptions } from "./call.ts";
import { createOperations } from "./operations.ts";
import type {
  MergePatch,
  RecordReceipt,
  RequestRecord,
  SessionData,
  SessionInfo,
  SessionInfoWithData,
  Timeline,
} from "./protocol.ts";
import { checkTransportOptions } from "./transport-options.ts";

export type { CallOptions, Fetch, Ids, TaggedData, TransportOptions } from "./call.ts";
export { ProblemError } from "./problem-error.ts";

/** Members of a session besides its ids. */
export interface SessionOptions {
  /** Name of a profile of the server's configuration, whose lifetimes count from now on (contract.md#rule-10). */
  readonly profile?: string | undefined;
  /** A text by which people recognize the session, such as "Firefox on Windows" (contract.md#rule-11). */
  readonly label?: string | undefined;
}

interface KeyedCallOptions extends CallOptions {
  /**
   * The `Idempotency-Key`: 1 to 255 visible ASCII characters; by default random. Only `create` without ids sends none.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface CreateOptions extends KeyedCallOptions, SessionOptions {}

export interface UpdateOptions extends CallOptions, SessionOptions {
  /** Whether the session gets a new id, which replaces the given one (contract.md#rule-9). */
  readonly rotate?: boolean | undefined;
  /**
   * The `Idempotency-Key`; by default random if `rotate` is true. Repeating a lost call with the same key and ids
   * returns the new id.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface EndOptions extends CallOptions {
  /** Whether the request may continue after its page has ended (Fetch standard). */
  readonly keepalive?: boolean | undefined;
}

export interface RecordOptions extends KeyedCallOptions {
  /** Whether to wait until the records are stored on disk. */
  readonly durable?: boolean | undefined;
  /**
   * Whether this is the record of the request that created the session. It is stored only if the session is used again
   * within a minute (contract.md#provisional-records). Without effect if `durable` is set too.
   */
  readonly provisional?: boolean | undefined;
  /** Whether the request may continue after its page has ended, with a body of less than 64 KiB (Fetch standard). */
  readonly keepalive?: boolean | undefined;
}

export interface DataOptions extends CallOptions {
  /**
   * The `etag` of data that were read. If the data have changed since then, the call rejects with `precondition-failed`,
   * and changes nothing. It also rejects if a response was lost, because the next attempt finds its own change.
   */
  readonly ifMatch?: string | undefined;
}

export interface TimelineOptions extends CallOptions {
  /** The `next` of the previous page, or a sequence number. Only later entries are returned. */
  readonly after?: string | number | undefined;
  /** Maximum number of entries, 1 to 1,000; 100 by default. */
  readonly limit?: number | undefined;
}

/**
 * The operations of the service. A failed call rejects with a `ProblemError`. Within the time limit, a call is retried
 * if there was no response, or if the service asks for a retry. A retry has no second effect: retrieving, updating and
 * ending can be repeated (contract.md#rule-1), and creating, rotating and recording send an Idempotency-Key.
 */
export interface Transport {
  /** Creates a session, with ids if any are given. */
  create(ids?: Ids, options?: CreateOptions): Promise<SessionInfo>;
  /**
   * Returns the session with this id. If there is none, returns a new session with the customer and agent in `ids`
   * (contract.md#rule-3).
   */
  retrieve(sessionId: string, ids?: Ids, options?: CallOptions): Promise<SessionInfo>;
  /** Does the same as `retrieve`, and also returns the data of the session. */
  retrieveWithData<Data extends object = SessionData>(
    sessionId: string,
    ids?: Ids,
    options?: CallOptions,
  ): Promise<SessionInfoWithData<Data>>;
  /** Associates ids with a session (contract.md#rule-1, contract.md#rule-2 and contract.md#rule-5). */
  update(sessionId: string, ids: Ids, options?: UpdateOptions): Promise<SessionInfo>;
  /**
   * Ends a session. Resolves with `false` if no live session has this id, also if an attempt whose response was lost
   * has ended it.
   */
  end(sessionId: string, options?: EndOptions): Promise<boolean>;
  /** Records 1 to 1,000 requests in a session. */
  record(
    sessionId: string,
    records: RequestRecord | readonly RequestRecord[],
    options?: RecordOptions,
  ): Promise<RecordReceipt>;
  /** Returns a page of a session's timeline. A caller who may find the session may name it by its handle. */
  timeline(handleOrId: string, options?: TimelineOptions): Promise<Timeline>;
  /**
   * Returns the data of a session (contract.md#data), `{}` at first. A caller who may find the session may name it by its
   * handle; this does not renew it.
   */
  readData<Data extends object = SessionData>(handleOrId: string, options?: DataOptions): Promise<TaggedData<Data>>;
  /**
   * Merges members into the data of a session, and returns all data: `null` removes a member, objects are merged, other
   * values are replaced. Calls at the same time that change different members do not undo each other.
   *
   * @example
   * await transport.mergeData(sessionId, { cart: { "sku-1": 2 }, locale: null });
   */
  mergeData<Data extends object = SessionData>(
    handleOrId: string,
    patch: MergePatch<Data>,
    options?: DataOptions,
  ): Promise<TaggedData<Data>>;
  /** Replaces the data of a session. */
  replaceData<Data extends object = SessionData>(
    handleOrId: string,
    data: Data,
    options?: DataOptions,
  ): Promise<TaggedData<Data>>;
  /** Removes the data of a session. */
  clearData(handleOrId: string, options?: DataOptions): Promise<void>;
}

/**
 * Creates the operations of a service. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * const transport = createTransport({ url: "http://127.0.0.1:8080", key: process.env.ANTECHAMBER_KEY });
 * const { sessionId } = await transport.create({ customerId: "customer-4711" });
 * await transport.record(sessionId, { method: "GET", path: "/articles" });
 */
export function createTransport(options: TransportOptions): Transport {
  checkTransportOptions("createTransport()", options);
  return createOperations(createRequestSender(options));
}
