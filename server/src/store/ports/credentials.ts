import type { SigningSecret } from "../../session/id.ts";
import type { Role } from "../../session/permissions.ts";

/** Port: API keys, the secrets that sign session ids, and sign-outs from the console. */
export interface CredentialStore {
  /** Returns all API keys, including revoked and expired ones, oldest first. */
  listApiKeys(): Promise<readonly ApiKey[]>;
  /** Stores a new API key. No stored API key has the same id or hash. */
  addApiKey(key: ApiKey): Promise<void>;
  /** Revokes an API key. Returns false if there is no API key with this id, or if it is already revoked. */
  revokeApiKey(id: string, now: number): Promise<boolean>;
  /**
   * Replaces the API key with this id: in one atomic step, stores `successor`, notes it as the successor of the old API
   * key, and lets the old one expire at `expiresAt` (Unix ms), or earlier if that was set before. Returns false if
   * there is no API key with this id, or if it was already revoked or replaced.
   */
  replaceApiKey(id: string, successor: ApiKey, expiresAt: number): Promise<boolean>;
  /**
   * Stores when API keys were last used. Ignores unknown API keys, and times that are earlier than the stored ones.
   * Callers collect uses and call this rarely. Some uses may get lost.
   */
  recordApiKeyUse(uses: readonly ApiKeyUse[]): Promise<void>;

  /** Returns the signing secrets, newest first. There is at least one, because a new store is created with one. */
  listSecrets(): Promise<readonly SigningSecret[]>;
  /** Adds a new signing secret as the newest. Session ids that were signed with older secrets stay valid. */
  addSecret(secret: SigningSecret): Promise<void>;

  /** Stores a sign-out at `now` (Unix ms). Sign-outs that no longer matter at that time are removed. */
  addSignOut(signOut: SignOut, now: number): Promise<void>;
  /** Returns the stored sign-outs. Some of them may no longer matter. */
  listSignOuts(): Promise<readonly SignOut[]>;
}

/** The end of a sign-in to the console. */
export interface SignOut {
  /** Id of the sign-in. */
  readonly id: string;
  /** Time (Unix ms) from which the cookies of the sign-in are refused anyway, so that the sign-out no longer matters. */
  readonly until: number;
}

/** A stored API key. API keys are used if the authentication mode is `key`. Times are Unix ms. */
export interface ApiKey {
  /** Public name, shown in lists and logs. */
  readonly id: string;
  /** Name that the operator gave the API key, or `null`. Other API keys may have the same name. */
  readonly name: string | null;
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
  /** Id of the API key that replaces this one (`replaceApiKey`); `null` if this one was not replaced. */
  readonly successorId: string | null;
}

export interface ApiKeyUse {
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
}
