/** Port: erasing everything about a customer. */
export interface ErasureStore {
  /**
   * Ends up to `MAX_ERASED` sessions and removes all that is stored of them: ids, records including queued ones, life events,
   * visits, stored responses. Records that arrive for them later are dropped. As long as an id alone
   * would describe an implicit session, a tombstone says that there is none. When the promise is fulfilled, none of the erased data
   * is in the engine's files or memory any more, except in copies that others made and in a backup that is
   * running. Idempotent: retry after a failure.
   */
  eraseSessions(ids: readonly string[], now: number): Promise<void>;

  /**
   * Completes the erasure of a customer after their sessions were erased: removes the customer's API keys, including revoked
   * ones, and index entries left by sessions that were purged before. Returns the number of keys.
   */
  eraseCustomerApiKeys(customerId: string, now: number): Promise<number>;
}

/** Maximum number of sessions in one call of `eraseSessions`. */
export const MAX_ERASED = 64;
