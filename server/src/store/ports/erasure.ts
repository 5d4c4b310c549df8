/** Port: erasing everything about a customer. */
export interface ErasureStore {
  /**
   * Ends up to `MAX_ERASED` sessions and removes everything that is stored about them: ids, stored and queued records,
   * life events, held visits, stored responses. Drops records of these sessions that arrive later. A tombstone stays
   * for as long as the session id would otherwise pass for an implicit session.
   *
   * When the promise is fulfilled, the engine's files and memory contain none of the erased data. Copies that others
   * made, and a backup that is being made at that time, may still contain them. Idempotent: call again after a failure.
   */
  eraseSessions(handles: readonly string[], now: number): Promise<void>;

  /**
   * Completes the erasure of a customer whose sessions have been erased. Removes the customer's API keys, including
   * revoked ones, and what remains of sessions that were purged earlier: index entries, and deliveries of webhooks with
   * the customer's id. Publishes the event `customer.erased` with `customerHash`, the keyed hash of the customer's id.
   * Returns the number of removed API keys.
   */
  eraseCustomerApiKeys(customerId: string, customerHash: string, now: number): Promise<number>;
}

/** Maximum number of sessions in one call of `eraseSessions`. */
export const MAX_ERASED = 64;
