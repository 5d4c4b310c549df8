import { hash, randomBytes } from "node:crypto";
import type { Clock, WallClock } from "../runtime/clock.ts";
import { faultOfId } from "../session/caller-ids.ts";
import { SECRET_BYTES, type SigningSecret } from "../session/id.ts";
import { type Role, roles } from "../session/permissions.ts";
import { faultOfText } from "../session/text.ts";
import type { Act } from "../store/audit-chain.ts";
import type { ApiKey, CredentialStore } from "../store/ports/credentials.ts";
import { type AuditTrail, auditTime, type Initiator } from "./audit.ts";

/** An API key, without the hash by which the server recognizes the key. */
export type ApiKeyInfo = Omit<ApiKey, "hash">;

/** The longest name of an API key, in Unicode characters. */
const MAX_KEY_NAME_CHARACTERS = 64;

/** A request for an API key. */
export interface ApiKeyRequest {
  /** Name for the lists of operators, 1 to `MAX_KEY_NAME_CHARACTERS` characters, or `null`. */
  readonly name: string | null;
  readonly role: Role;
  /** Customer of a key with the role `customer`; `null` for a key of public web pages, and for other roles. */
  readonly customerId: string | null;
  /** Agent of a key with the role `agent`, or `null`. Other roles have no agent. */
  readonly agentId: string | null;
  /** Validity in milliseconds; `null` if the key is valid until it is revoked. */
  readonly validFor: number | null;
}

/** A new API key. `key` is the secret; it is not stored, so it can be read only here. */
export interface CreatedApiKey {
  readonly key: string;
  readonly info: ApiKeyInfo;
}

/** Result of rotating an API key. */
export type RotationResult =
  | {
      readonly outcome: "rotated";
      readonly made: CreatedApiKey;
      readonly replaced: ApiKeyInfo;
    }
  /** The key was rotated before; its successor can be rotated instead. Nothing was changed. */
  | { readonly outcome: "rotated-before"; readonly successor: string }
  /** There is no key with this id, or the key is no longer valid. */
  | { readonly outcome: "not-found" };

/** Handlers by which a server keeps its cached API keys up to date. A command without a server has no handlers. */
export interface ApiKeyEvents {
  /** Called after the stored keys were changed. The operation counts as done only when the promise is fulfilled. */
  keysChanged?(): Promise<void>;
  /** Called before the stored keys are listed. The server stores the uses of keys that it has not stored yet. */
  listingKeys?(): Promise<void>;
}

interface CredentialAdminParts {
  readonly store: CredentialStore;
  /** Everything that works with the secrets; `use` replaces them (newest first). */
  readonly secretUsers: { use(secrets: readonly SigningSecret[]): void };
  readonly trail: Pick<AuditTrail, "audited">;
  readonly logHash: (id: string) => string;
  readonly clock: Clock;
  /** The clock by which API keys expire. */
  readonly wallClock: WallClock;
  readonly events: ApiKeyEvents;
}

/** Returns the SHA-256 hash (hexadecimal) of an API key. The hash is stored and compared instead of the key. */
export function hashApiKey(key: string): string {
  return hash("sha256", key, "hex");
}

/** The fault of a request for a key: the member with the fault, and a sentence without a full stop. */
export interface ApiKeyFault {
  readonly name: keyof ApiKeyRequest;
  readonly detail: string;
}

/** Returns the fault of a request for a key, or `undefined` if the request is valid. */
export function faultOfApiKeyRequest(request: ApiKeyRequest): ApiKeyFault | undefined {
  const { name, role, customerId, agentId, validFor } = request;
  const fault = (member: ApiKeyFault["name"], detail: string) => ({ name: member, detail });
  if (!roles.includes(role)) return fault("role", `the role is one of ${roles.join(", ")}`);
  if (customerId !== null && role !== "customer") {
    return fault("customerId", `a key with the role ${role} has no customer; only one with the role customer has`);
  }
  if (agentId !== null && role !== "agent") {
    return fault("agentId", `a key with the role ${role} has no agent; only one with the role agent has`);
  }
  for (const member of ["customerId", "agentId"] as const) {
    const id = request[member];
    const faultOfMember = id === "" ? "is empty" : id === null ? undefined : faultOfId(id);
    if (faultOfMember !== undefined) return fault(member, `the ${role}'s id ${faultOfMember}`);
  }
  const faultOfName = name === null ? undefined : faultOfKeyName(name);
  if (faultOfName !== undefined) return fault("name", `the name of the key ${faultOfName}`);
  if (validFor !== null && (!Number.isSafeInteger(validFor) || validFor <= 0)) {
    return fault("validFor", "the key would expire at once: give a longer time, or none for a key that never expires");
  }
  return undefined;
}

function faultOfKeyName(name: string): string | undefined {
  if (name === "") return "is empty";
  if (name.startsWith(" ") || name.endsWith(" ")) return "begins or ends with a space";
  return faultOfText(name, MAX_KEY_NAME_CHARACTERS);
}

/** Manages API keys and the signing secret. All methods refuse with `unavailable` if the store cannot be used. */
export class CredentialAdmin {
  readonly #parts: CredentialAdminParts;

  constructor(parts: CredentialAdminParts) {
    this.#parts = parts;
  }

  /** Lists all API keys, including revoked and expired ones, oldest first. */
  async listKeys(): Promise<readonly ApiKeyInfo[]> {
    const { store, events } = this.#parts;
    // On a full disk the uses cannot be stored, but the keys can still be listed.
    await events.listingKeys?.().catch(() => undefined);
    return (await store.listApiKeys()).map(withoutHash);
  }

  /**
   * Creates an API key whose validity begins at `now` (Unix ms), by default at once. Throws `TypeError` for a request with
   * a fault (`faultOfApiKeyRequest`).
   */
  async createKey(by: Initiator, request: ApiKeyRequest, now = this.#parts.wallClock()): Promise<CreatedApiKey> {
    const { store, trail, events } = this.#parts;
    const fault = faultOfApiKeyRequest(request);
    if (fault !== undefined) throw new TypeError(fault.detail);
    const { key, stored } = newKey(request, now);
    const event = { ...by, what: "key.create", details: this.#auditDetails(stored) };
    await trail.audited(event, async () => {
      await store.addApiKey(stored);
      await events.keysChanged?.();
    });
    return { key, info: withoutHash(stored) };
  }

  /** Revokes an API key. Returns false if there is no such key or it is already revoked. */
  async revokeKey(by: Initiator, id: string): Promise<boolean> {
    const { store, trail, wallClock, events } = this.#parts;
    const known = await this.#findKey(id);
    const details = { key: auditKeyId(id), ...(known && { name: auditedKeyName(known) }) };
    const event = { ...by, what: "key.revoke", details };
    const revoke = async () => {
      const isRevoked = await store.revokeApiKey(id, wallClock());
      await events.keysChanged?.();
      return isRevoked;
    };
    return trail.audited(event, revoke, (isFound) => ({ isFound }));
  }

  /**
   * Creates a key with the same name, permissions and validity as the key `id`. The old key stays valid for another `grace`
   * ms. Each key can be rotated only once; after that, its successor can be rotated.
   */
  async rotateKey(
    by: Initiator,
    { id, grace }: { readonly id: string; readonly grace: number },
  ): Promise<RotationResult> {
    if (!Number.isSafeInteger(grace) || grace < 0) throw new TypeError("a grace is some time");
    const now = this.#parts.wallClock();
    const before = await this.#findKey(id);
    const refusal = rotationRefusal(before, now);
    const successor = before && !refusal ? successorOf(before, now) : undefined;
    const details = {
      ...(before && { name: auditedKeyName(before) }),
      ...(successor && this.#auditDetails(successor.stored)),
      successorOf: auditKeyId(id),
      validUntil: auditTime(now + grace),
      isFound: before !== undefined,
    };
    return this.#parts.trail.audited(
      { ...by, what: "key.rotate", details },
      async () => (successor ? this.#replaceKey(id, successor, now + grace) : (refusal ?? notFound)),
      ({ outcome }) => ({ isDone: outcome === "rotated" }),
    );
  }

  async #replaceKey(id: string, successor: NewKey, expiresAt: number): Promise<RotationResult> {
    const { store, events } = this.#parts;
    const isReplaced = await store.replaceApiKey(id, successor.stored, expiresAt);
    await events.keysChanged?.();
    const after = await this.#findKey(id);
    // Another caller has rotated, revoked or erased the key in the meantime.
    if (!isReplaced || after === undefined) return rotationRefusal(after, this.#parts.wallClock()) ?? notFound;
    const made = { key: successor.key, info: withoutHash(successor.stored) };
    return { outcome: "rotated", made, replaced: withoutHash(after) };
  }

  async #findKey(id: string): Promise<ApiKey | undefined> {
    return (await this.#parts.store.listApiKeys()).find((key) => key.id === id);
  }

  /** Describes a key for the audit trail. The customer's id is hashed, because it may have to be erased later. */
  #auditDetails(key: ApiKey): Act["details"] {
    const { id, role, customerId, agentId, expiresAt } = key;
    const customer = customerId === null ? null : this.#parts.logHash(customerId);
    return { key: id, name: auditedKeyName(key), role, customer, agent: agentId, expiresAt: auditTime(expiresAt) };
  }

  /**
   * Adds a secret for new session ids and, some minutes later, for assertions. Ids of older secrets stay valid. Returns the creation time (Unix ms) of the new
   * secret and the number of secrets.
   */
  async rotateSecret(by: Initiator): Promise<{ createdAt: number; secrets: number }> {
    const { store, secretUsers, trail, clock } = this.#parts;
    const secret = { bytes: randomBytes(SECRET_BYTES), createdAt: clock() };
    const event = { ...by, what: "secret.rotate", details: {} };
    await trail.audited(event, () => store.addSecret(secret));
    const secrets = await store.listSecrets();
    secretUsers.use(secrets);
    return { createdAt: secret.createdAt, secrets: secrets.length };
  }
}

interface NewKey {
  readonly key: string;
  readonly stored: ApiKey;
}

function newKey(request: ApiKeyRequest, now: number): NewKey {
  const { name, role, customerId, agentId, validFor } = request;
  const key = `ak_${randomBytes(32).toString("base64url")}`;
  const stored = {
    id: `k_${randomBytes(6).toString("hex")}`,
    name,
    hash: hashApiKey(key),
    role,
    customerId,
    agentId,
    createdAt: now,
    expiresAt: validFor === null ? null : now + validFor,
    revokedAt: null,
    lastUsedAt: null,
    successorId: null,
  };
  return { key, stored };
}

function successorOf(key: ApiKey, now: number): NewKey {
  const validFor = key.expiresAt === null ? null : key.expiresAt - key.createdAt;
  return newKey({ ...key, validFor }, now);
}

const notFound = { outcome: "not-found" } as const;

/** Returns why a key cannot be rotated at `now` (Unix ms), or `undefined` if it can. */
function rotationRefusal(key: ApiKey | undefined, now: number): RotationResult | undefined {
  if (key === undefined || key.revokedAt !== null) return notFound;
  if (key.successorId !== null) return { outcome: "rotated-before", successor: key.successorId };
  return key.expiresAt !== null && key.expiresAt <= now ? notFound : undefined;
}

/** Returns a key's id for the audit trail. Replaces any other text, which may be (part of) a key, typed by mistake. */
function auditKeyId(id: string): string {
  return /^k_[\w-]{1,18}$/.test(id) ? id : "(not the id of a key)";
}

/**
 * Returns the name of a key for the audit trail. The name of a customer's key may contain that of the customer, whom the
 * trail must not name after an erasure; so it is `null` there.
 */
export function auditedKeyName({ customerId, name }: Pick<ApiKey, "customerId" | "name">): string | null {
  return customerId === null ? name : null;
}

export function withoutHash(key: ApiKey): ApiKeyInfo {
  const { hash: _hash, ...info } = key;
  return info;
}
