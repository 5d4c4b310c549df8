/** Port: stored responses of idempotent requests. They are stored by `SessionStore.create` and `RecordStore.storeRecords`. */
export interface IdempotencyStore {
  /** Returns the result of an earlier request with this key, or `undefined` if there was none. */
  findReplay(
    idempotent: Omit<IdempotentRequest, "response">,
    now: number,
  ): Promise<Replay | undefined>;

  /** Returns the stored responses of requests that created this session or recorded in it. */
  listStoredResponses(id: string, now: number): Promise<readonly StoredResponseItem[]>;
}

/**
 * A request that is carried out at most once, however often it is sent. Its response is stored for
 * `STORED_RESPONSE_LIFE_MS`, in the same step as the change itself.
 */
export interface IdempotentRequest {
  /** Identifies the request among those of all callers: a hash of the caller and of the key that the caller chose. */
  readonly key: string;
  /** Hash of the request's content: another request under the same key is refused. */
  readonly fingerprint: string;
  /** The body of the response. */
  readonly response: string;
}

/** How long (ms) a stored response is kept, unless the retention of its session is shorter. */
export const STORED_RESPONSE_LIFE_MS = 24 * 60 * 60 * 1000;

/** A request whose key was used before. Nothing was changed. */
export type Replay =
  | { readonly outcome: "repeated"; readonly response: string }
  /** The key belongs to another request. */
  | { readonly outcome: "key-reused" };

/** A stored response with the session that it is about. */
export interface StoredResponseItem {
  readonly kind: "answer";
  readonly idempotent: IdempotentRequest;
  /** Id of the session that the request recorded in; `null` if it created one. */
  readonly id: string | null;
  /** Id of the session that the request created; `null` if it recorded. */
  readonly created: string | null;
  readonly storedAt: number;
}
