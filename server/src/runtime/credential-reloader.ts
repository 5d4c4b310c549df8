import type { Logger } from "pino";
import type { SigningSecret } from "../session/id.ts";
import type { ApiKey, ApiKeyUse, CredentialStore, SignOut } from "../store/ports/credentials.ts";

/** The store, and the caches of its credentials that the reloader updates. */
export interface CredentialCopies {
  readonly store: Pick<CredentialStore, "listApiKeys" | "listSecrets" | "listSignOuts" | "recordApiKeyUse">;
  readonly keyRing: { use(keys: readonly ApiKey[]): void; uses(): readonly ApiKeyUse[] };
  readonly secretUsers: { use(secrets: readonly SigningSecret[]): void };
  readonly signOuts: { use(signOuts: readonly SignOut[]): void };
}

/**
 * Reloads the API keys, secrets and sign-outs of a server when they change. The reloader is created before the store, whose events
 * it handles. Until `start` is called, every method rejects, and the store repeats its event.
 *
 * Reads run one after another. Otherwise a slow read could overwrite the result of a later one, and a revoked key would
 * be valid again.
 */
export class CredentialReloader {
  readonly #log: Pick<Logger, "info" | "error">;
  #copies: CredentialCopies | undefined;
  #last: Promise<void> = Promise.resolve();
  #isBehind = false;

  constructor(log: Pick<Logger, "info" | "error">) {
    this.#log = log;
  }

  /** Loads the API keys and sign-outs (the secrets were loaded when the store was opened). Refuses with `unavailable`. */
  async start(copies: CredentialCopies): Promise<void> {
    this.#copies = copies;
    await this.reloadKeys();
    await this.#reloadSignOuts();
  }

  /** Reloads the API keys. If this fails, it refuses with `unavailable` and the cached keys stay unchanged. */
  async reloadKeys(): Promise<void> {
    const { store, keyRing } = this.#started();
    await this.#inTurn(async () => keyRing.use(await store.listApiKeys()));
  }

  /** Reloads the API keys, the secrets and the sign-outs. Logs the first failure, and the first success after a failure. */
  async reloadAll(): Promise<void> {
    const { store, secretUsers } = this.#started();
    try {
      await this.reloadKeys();
      await this.#reloadSignOuts();
      await this.#inTurn(async () => secretUsers.use(await store.listSecrets()));
    } catch (error) {
      // Logged only once per outage, because the store repeats its event until a read succeeds.
      if (!this.#isBehind) this.#log.error({ err: error }, "keys and secrets could not be read");
      this.#isBehind = true;
      throw error;
    }
    if (this.#isBehind) this.#log.info("keys and secrets are read again");
    this.#isBehind = false;
  }

  /** Stores when each API key was last used. */
  async storeKeyUses(): Promise<void> {
    const { store, keyRing } = this.#started();
    const uses = keyRing.uses();
    if (uses.length === 0) return;
    await store.recordApiKeyUse(uses);
    await this.reloadKeys();
  }

  #reloadSignOuts(): Promise<void> {
    const { store, signOuts } = this.#started();
    return this.#inTurn(async () => signOuts.use(await store.listSignOuts()));
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
