/** Port: reading stored responses. `SessionStore` and `RecordStore` store them. */
export interface IdempotencyStore {
  /** Returns the result of an earlier request with this idempotency key, or `undefined` if there was none. */
  findReplay(idempotent: Omit<IdempotentRequest, "response">, now: number): Promise<Replay | undefined>;

  /** Returns the stored responses of the requests that created or rotated this session, or stored records in it. */
  listStoredResponses(handle: string, now: number): Promise<readonly StoredResponseItem[]>;
}

/**
 * A request that is carried out at most once, however often it is sent. The response is stored in the same step as the
 * change, and kept for `STORED_RESPONSE_LIFE_MS`.
 */
export interface IdempotentRequest {
  /** Key of the request, unique among all callers: a hash of the caller and of the idempotency key that it chose. */
  readonly key: string;
  /** Hash of the request's content. A request with the same `key` and another fingerprint is refused. */
  readonly fingerprint: string;
  /** The body of the response. */
  readonly response: string;
}

/** Time (ms) for which a stored response is kept, unless the retention of its session is shorter. */
export const STORED_RESPONSE_LIFE_MS = 24 * 60 * 60 * 1000;

/** The result of a request whose idempotency key was used before. Nothing was changed. */
export type Replay =
  | { readonly outcome: "repeated"; readonly response: string }
  /** An earlier request with another content used the idempotency key. */
  | { readonly outcome: "key-reused" };

/** A stored response with the session that it is about. */
export interface StoredResponseItem {
  readonly kind: "answer";
  readonly idempotent: IdempotentRequest;
  /** Handle of the session that the request rotated or stored records in; `null` if the request created a session. */
  readonly handle: string | null;
  /** Handle of the session that the request created, otherwise `null`. */
  readonly created: string | null;
  readonly storedAt: number;
}
