import type { SigningSecret } from "../../session/id.ts";
import type { Role } from "../../session/permissions.ts";

/** Port: API keys, and the secrets that sign session ids. */
export interface CredentialStore {
  /** Returns all API keys, including revoked and expired ones, oldest first. */
  listApiKeys(): Promise<readonly ApiKey[]>;
  /** Stores a new API key; its id and hash are new. */
  addApiKey(key: ApiKey): Promise<void>;
  /** Revokes an API key. Returns false if there is no key with this id or it is already revoked. */
  revokeApiKey(id: string, now: number): Promise<boolean>;
  /**
   * Stores the new key `successor` and sets it as the successor of the key `id`, which expires at `expiresAt` or
   * earlier: all or nothing. Returns false if there is no key with this id, or if it was already revoked or
   * replaced.
   */
  replaceApiKey(id: string, successor: ApiKey, expiresAt: number): Promise<boolean>;
  /**
   * Stores when API keys were last used. Earlier times than the stored ones and unknown key ids are ignored. Callers gather
   * uses and call this rarely; losing some does no harm.
   */
  recordApiKeyUse(uses: readonly ApiKeyUse[]): Promise<void>;

  /** Returns the signing secrets, newest first: at least one, made when the store is new. */
  listSecrets(): Promise<readonly SigningSecret[]>;
  /** Adds a new signing secret as the newest. Ids that older ones signed stay valid. */
  addSecret(secret: SigningSecret): Promise<void>;
}

/** A stored API key, for the mode `key`. Times are Unix ms. */
export interface ApiKey {
  /** Public name, shown in lists and logs. */
  readonly id: string;
  /** SHA-256 of the secret key, hexadecimal. The key itself is not stored. */
  readonly hash: string;
  readonly role: Role;
  readonly customerId: string | null;
  readonly agentId: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** Approximate time of the last use (`recordApiKeyUse`); `null` if it was never used. */
  readonly lastUsedAt: number | null;
  /** Id of the key that replaces this one (`replaceApiKey`); `null` if it was not rotated. */
  readonly successorId: string | null;
}

/** A use of an API key. */
export interface ApiKeyUse {
  /** The key's id. */
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
}
