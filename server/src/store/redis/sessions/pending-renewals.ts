/** Renewals that are being stored. `renew` has already returned them, so later operations wait for them. */
export class PendingRenewals {
  readonly #renewals = new Map<string, Promise<void>>();

  /** Returns a promise that is fulfilled when the session's renewal is done, or `undefined` if there is no renewal. */
  of(handle: string): Promise<void> | undefined {
    return this.#renewals.size === 0 ? undefined : this.#renewals.get(handle);
  }

  /** Runs `store` as soon as the earlier renewals of the session are done. `store` must not reject. */
  add(handle: string, store: () => Promise<void>): void {
    const renewal = Promise.resolve(this.of(handle))
      .then(store)
      .finally(() => {
        if (this.#renewals.get(handle) === renewal) this.#renewals.delete(handle);
      });
    this.#renewals.set(handle, renewal);
  }
}
