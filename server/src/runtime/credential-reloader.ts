import type { Logger } from "pino";
import type { SigningSecret } from "../session/id.ts";
import type { ApiKey, CredentialStore } from "../store/ports/credentials.ts";

/** What a server knows of keys and secrets, and how it keeps up with the store. */
export interface CredentialReloader {
  /** Takes over the keys as they are stored now. Refuses with `unavailable`, and knows what it knew. */
  readKeys(): Promise<void>;
  /** The same for keys and secrets together. */
  readAll(): Promise<void>;
}

/** Where keys and secrets are read, and who uses them. */
export interface CredentialReloaderParts {
  readonly store: Pick<CredentialStore, "listApiKeys" | "listSecrets">;
  readonly keyRing: { use(keys: readonly ApiKey[]): void };
  readonly ids: { use(secrets: readonly SigningSecret[]): void };
  readonly log: Pick<Logger, "info" | "error">;
}

/**
 * One reading at a time, in the order in which they are asked for: a slow one must not bring a key back
 * that a later one has found revoked.
 */
export function createCredentialReloader({
  store,
  keyRing,
  ids,
  log,
}: CredentialReloaderParts): CredentialReloader {
  let last = Promise.resolve();
  let isBehind = false;

  function inTurn(read: () => Promise<void>): Promise<void> {
    last = last.then(read, read);
    return last;
  }

  const keys = async () => keyRing.use(await store.listApiKeys());
  const all = async () => {
    await keys();
    ids.use(await store.listSecrets());
  };

  return {
    readKeys: () => inTurn(keys),
    async readAll() {
      try {
        await inTurn(all);
      } catch (error) {
        // Once an outage: it is tried again and again.
        if (!isBehind) log.error({ err: error }, "keys and secrets could not be read");
        isBehind = true;
        throw error;
      }
      if (isBehind) log.info("keys and secrets are read again");
      isBehind = false;
    },
  };
}
