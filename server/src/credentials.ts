import type { Logger } from "pino";
import type { Key, Secret, SessionStore } from "./store/store.ts";

/** What a server knows of keys and secrets, and how it keeps up with the store. */
export interface Credentials {
  /** Takes over the keys as they are stored now. Refuses with `unavailable`, and knows what it knew. */
  readKeys(): Promise<void>;
  /** The same for keys and secrets together. */
  readAll(): Promise<void>;
}

/** Where keys and secrets are read, and who uses them. */
export interface CredentialsParts {
  readonly store: Pick<SessionStore, "keys" | "secrets">;
  readonly keyRing: { use(keys: readonly Key[]): void };
  readonly ids: { use(secrets: readonly Secret[]): void };
  readonly log: Pick<Logger, "info" | "error">;
}

/**
 * One reading at a time, in the order in which they are asked for: a slow one must not bring a key back
 * that a later one has found revoked.
 */
export function createCredentials({ store, keyRing, ids, log }: CredentialsParts): Credentials {
  let last = Promise.resolve();
  let isBehind = false;

  function inTurn(read: () => Promise<void>): Promise<void> {
    last = last.then(read, read);
    return last;
  }

  const keys = async () => keyRing.use(await store.keys());
  const all = async () => {
    await keys();
    ids.use(await store.secrets());
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
