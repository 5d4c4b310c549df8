/**
 * Renewals that are being stored. `renew` has shown them to the caller already, so later operations of the same session
 * wait for them.
 */
export class PendingRenewals {
  readonly #renewals = new Map<string, Promise<void>>();

  /** Returns a promise for the session's renewal, or `undefined` if there is none. */
  of(id: string): Promise<void> | undefined {
    return this.#renewals.size === 0 ? undefined : this.#renewals.get(id);
  }

  /** Runs `store`, which must not reject, after the session's earlier renewal. */
  add(id: string, store: () => Promise<void>): void {
    const renewal = Promise.resolve(this.of(id))
      .then(store)
      .finally(() => {
        if (this.#renewals.get(id) === renewal) this.#renewals.delete(id);
      });
    this.#renewals.set(id, renewal);
  }
}
