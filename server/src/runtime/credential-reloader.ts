import type { Logger } from "pino";
import type { SigningSecret } from "../session/id.ts";
import type { ApiKey, ApiKeyUse, CredentialStore } from "../store/ports/credentials.ts";

/** The store, and the cached credentials that the reloader keeps equal to the stored ones. */
export interface CredentialCopies {
  readonly store: Pick<CredentialStore, "listApiKeys" | "listSecrets" | "recordApiKeyUse">;
  readonly keyRing: { use(keys: readonly ApiKey[]): void; uses(): readonly ApiKeyUse[] };
  readonly ids: { use(secrets: readonly SigningSecret[]): void };
}

/**
 * Reloads the API keys and secrets of a server when they are changed. It is created before the store, whose events it
 * handles: until `start` is called every method rejects, and the store repeats its event.
 *
 * Reads do not overlap: a slow one must not bring back a key that a later one has found revoked.
 */
export class CredentialReloader {
  readonly #log: Pick<Logger, "info" | "error">;
  #copies: CredentialCopies | undefined;
  #last: Promise<void> = Promise.resolve();
  #isBehind = false;

  constructor(log: Pick<Logger, "info" | "error">) {
    this.#log = log;
  }

  /** Loads the API keys for the first time; the secrets were loaded with the store. Refuses with `unavailable`. */
  async start(copies: CredentialCopies): Promise<void> {
    this.#copies = copies;
    await this.reloadKeys();
  }

  /** Reloads the API keys. Refuses with `unavailable`; then the cached keys stay as they were. */
  async reloadKeys(): Promise<void> {
    const { store, keyRing } = this.#started();
    await this.#inTurn(async () => keyRing.use(await store.listApiKeys()));
  }

  /** Reloads API keys and secrets, and logs when that fails and when it succeeds again. */
  async reloadAll(): Promise<void> {
    const { store, ids } = this.#started();
    try {
      await this.reloadKeys();
      await this.#inTurn(async () => ids.use(await store.listSecrets()));
    } catch (error) {
      // Logged once per outage, since the store repeats its event.
      if (!this.#isBehind) this.#log.error({ err: error }, "keys and secrets could not be read");
      this.#isBehind = true;
      throw error;
    }
    if (this.#isBehind) this.#log.info("keys and secrets are read again");
    this.#isBehind = false;
  }

  /** Stores when API keys were used. */
  async storeKeyUses(): Promise<void> {
    const { store, keyRing } = this.#started();
    const uses = keyRing.uses();
    if (uses.length === 0) return;
    await store.recordApiKeyUse(uses);
    await this.reloadKeys();
  }

  #started(): CredentialCopies {
    if (this.#copies === undefined) throw new Error("the server is not started yet");
    return this.#copies;
  }

  #inTurn(load: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(load, load);
    return this.#last;
  }
}
