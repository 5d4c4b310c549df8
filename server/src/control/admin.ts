import { createHash, randomBytes } from "node:crypto";
import type { Clock, WallClock } from "../runtime/clock.ts";
import { type AuditEvent, type AuditTrail, COMMAND_LINE } from "../services/audit.ts";
import { type Administration, type Status, statusOf } from "../services/customers.ts";
import type { SessionService } from "../services/sessions.ts";
import { faultOfId } from "../session/caller-ids.ts";
import { type IdIssuer, SECRET_BYTES } from "../session/id.ts";
import { type Role, roles } from "../session/permissions.ts";
import { hasNoIds, isLive, type Session } from "../session/session.ts";
import type { Actor } from "../store/audit-chain.ts";
import type { AuditStore } from "../store/ports/audit.ts";
import type { ApiKey, CredentialStore } from "../store/ports/credentials.ts";
import type { SessionStore } from "../store/ports/sessions.ts";
import type { ExportPage, TransferStore } from "../store/ports/transfer.ts";
import { createOversight, type Oversight } from "./oversight.ts";

/** A key without what verifies it. */
export type KeyInfo = Omit<ApiKey, "hash">;

/** What a new key is to allow. */
export interface KeyRequest {
  readonly role: Role;
  /** With the role `customer` only; `null`: a key for public pages. */
  readonly customerId: string | null;
  /** With the role `agent` only. */
  readonly agentId: string | null;
  /** How long it is valid, in milliseconds; `null`: until it is revoked. */
  readonly validFor: number | null;
}

/** Which key is to be replaced, and how long it stays valid beside its successor, in milliseconds. */
export interface KeyRotation {
  readonly id: string;
  readonly grace: number;
}

/** A new key: `key` itself is known to nobody else and kept nowhere. */
export interface MadeKey {
  readonly key: string;
  readonly info: KeyInfo;
}

/** Result of rotating a key. All members are plain data, since it is sent over the control socket. */
export type RotationResult =
  | { readonly outcome: "rotated"; readonly made: MadeKey; readonly replaced: KeyInfo }
  /** The key already has a successor, which must be rotated instead. Nothing was changed. */
  | { readonly outcome: "rotated-before"; readonly successor: string }
  /** There is no such key, or it is no longer valid. */
  | { readonly outcome: "not-found" };

/** A session as an operator sees it: also one that its callers do not see any more. */
export interface SessionView {
  readonly session: Session;
  readonly status: Status;
}

/**
 * What an operator does to a store, whether a server runs on it or not: the command line calls this
 * directly or through the server's control socket. Everything takes effect with the next request.
 */
export interface Admin extends Oversight {
  /** All keys, revoked and expired ones too, oldest first. */
  listKeys(): Promise<readonly KeyInfo[]>;
  /** `key` is shown this once: only its hash is stored. Throws `TypeError` for a request at fault. */
  createKey(request: KeyRequest): Promise<MadeKey>;
  /** False when there is no such key or it was revoked before. */
  revokeKey(id: string): Promise<boolean>;
  /**
   * Makes a key that allows what the key `id` does, and for as long as that was made for; `id` itself
   * is valid for another `grace` ms. A key can be rotated once; after that its successor can.
   */
  rotateKey(request: KeyRotation): Promise<RotationResult>;
  /** `undefined` for an id that this service did not make, or of which nothing is left. */
  getSession(id: string): Promise<SessionView | undefined>;
  /** False when there is no live session of this id. */
  endSession(id: string): Promise<boolean>;
  /** Signs new session ids under a new secret; ids under the older ones stay valid. */
  rotateSecret(): Promise<{ readonly createdAt: number; readonly secrets: number }>;
  /** A part of everything in the store, from `after` on, which an earlier one named (`TransferStore`). */
  exportPage(after: string | null): Promise<ExportPage>;
}

/** What `createAdmin` works on; with a running server, that server's own. */
export interface AdminParts {
  readonly store: Pick<SessionStore, "find"> &
    CredentialStore &
    AuditStore &
    Pick<TransferStore, "exportPage">;
  readonly service: Pick<SessionService, "end">;
  readonly administration: Administration;
  readonly trail: AuditTrail;
  /** Who acts. */
  readonly who: Actor;
  readonly logHash: (id: string) => string;
  readonly ids: IdIssuer;
  readonly clock: Clock;
  /** The clock by which keys are created, expire and are revoked. */
  readonly wallClock: WallClock;
  /** Called after the keys in the store have changed, before the change is reported as done. */
  readonly keysChanged?: () => void | Promise<void>;
  /** Has the store learn which keys were used. */
  readonly noteKeyUses?: () => Promise<void>;
}

/** SHA-256 of a key, hexadecimal: what is stored and compared in its place. */
function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** What is wrong with a request for a key, as a sentence, or `undefined` when it is right. */
export function faultOfKeyRequest(request: KeyRequest): string | undefined {
  const { role, customerId, agentId, validFor } = request;
  if (!roles.includes(role)) return `the role is one of ${roles.join(", ")}`;
  if (customerId !== null && role !== "customer") {
    return `a key with the role ${role} has no customer; only one with the role customer has`;
  }
  if (agentId !== null && role !== "agent") {
    return `a key with the role ${role} has no agent; only one with the role agent has`;
  }
  for (const id of [customerId, agentId]) {
    const fault = id === "" ? "is empty" : id === null ? undefined : faultOfId(id);
    if (fault !== undefined) return `the ${role}'s id ${fault}`;
  }
  if (validFor !== null && (!Number.isSafeInteger(validFor) || validFor <= 0)) {
    return "a key is valid for some time or until it is revoked";
  }
  return undefined;
}

/** Carries out an operator's requests on `parts`. */
export function createAdmin(parts: AdminParts): Admin {
  const { store, service, ids, clock, wallClock, trail, who, logHash } = parts;

  /** A key as the trail tells it: without what may have to be forgotten. */
  function toldOf({ id, role, customerId, agentId, expiresAt }: ApiKey): AuditEvent["details"] {
    const customer = customerId === null ? null : logHash(customerId);
    return { key: id, role, customer, agent: agentId, expiresAt: timeOf(expiresAt) };
  }

  const keyOf = async (id: string) => (await store.listApiKeys()).find((key) => key.id === id);

  async function getSession(id: string): Promise<SessionView | undefined> {
    if (ids.verify(id) === undefined) return undefined;
    const now = clock();
    const session = await store.find(id);
    // Of one that has expired nothing certain can be told: it may have had ids and been swept.
    const isCertain = isLive(session, now) || session.ended || !hasNoIds(session);
    return isCertain ? { session, status: statusOf(session, now) } : undefined;
  }

  const attest = <Result>(
    what: string,
    details: AuditEvent["details"],
    carryOut: () => Promise<Result>,
    told?: (result: Result) => AuditEvent["details"],
  ) => trail.audited({ who, from: COMMAND_LINE, what, details }, carryOut, told);

  return {
    ...createOversight(parts),
    getSession,

    async listKeys() {
      // A disk that is full is no reason not to show the keys.
      await parts.noteKeyUses?.().catch(() => undefined);
      return (await store.listApiKeys()).map(withoutHash);
    },

    async createKey(request) {
      const fault = faultOfKeyRequest(request);
      if (fault !== undefined) throw new TypeError(fault);
      const { key, stored } = newKey(request, wallClock());
      await attest("key.create", toldOf(stored), async () => {
        await store.addApiKey(stored);
        await parts.keysChanged?.();
      });
      return { key, info: withoutHash(stored) };
    },

    async rotateKey({ id, grace }) {
      if (!Number.isSafeInteger(grace) || grace < 0) throw new TypeError("a grace is some time");
      const now = wallClock();
      const before = await keyOf(id);
      const validUntil = timeOf(now + grace);
      const end = endOf(before, now);
      if (before === undefined || end !== undefined) {
        const details = { successorOf: triedKey(id), validUntil, isFound: before !== undefined };
        return attest(
          "key.rotate",
          details,
          async () => end ?? notFound,
          () => ({ isDone: false }),
        );
      }
      const { role, customerId, agentId, createdAt, expiresAt } = before;
      const validFor = expiresAt === null ? null : expiresAt - createdAt;
      const { key, stored } = newKey({ role, customerId, agentId, validFor }, now);
      const details = { ...toldOf(stored), successorOf: id, validUntil, isFound: true };
      return attest("key.rotate", details, replace, ({ outcome }) => ({
        isDone: outcome === "rotated",
      }));

      async function replace(): Promise<RotationResult> {
        const isReplaced = await store.replaceApiKey(id, stored, now + grace);
        await parts.keysChanged?.();
        const after = await keyOf(id);
        // Another caller rotated, revoked or erased it in between.
        if (!isReplaced || after === undefined) return endOf(after, now) ?? notFound;
        const made = { key, info: withoutHash(stored) };
        return { outcome: "rotated", made, replaced: withoutHash(after) };
      }
    },

    async revokeKey(id) {
      const isFound = (revoked: boolean) => ({ isFound: revoked });
      return attest("key.revoke", { key: triedKey(id) }, revoke, isFound);

      async function revoke(): Promise<boolean> {
        const revoked = await store.revokeApiKey(id, wallClock());
        await parts.keysChanged?.();
        return revoked;
      }
    },

    endSession: (id) =>
      attest(
        "session.end",
        { session: logHash(id) },
        () => service.end(id),
        (isFound) => ({ isFound }),
      ),
    exportPage: (after) => store.exportPage(after, clock()),

    async rotateSecret() {
      const secret = { bytes: randomBytes(SECRET_BYTES), createdAt: clock() };
      await attest("secret.rotate", {}, () => store.addSecret(secret));
      const secrets = await store.listSecrets();
      ids.use(secrets);
      return { createdAt: secret.createdAt, secrets: secrets.length };
    },
  };
}

function newKey(request: KeyRequest, now: number): { key: string; stored: ApiKey } {
  const { role, customerId, agentId, validFor } = request;
  const key = `ak_${randomBytes(32).toString("base64url")}`;
  const stored = {
    id: `k_${randomBytes(6).toString("hex")}`,
    hash: hashKey(key),
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

/**
 * Returns the id that an operator tried, for the trail. A text that is not the id of a key may be anything,
 * even a key or a part of one, and is not repeated.
 */
function triedKey(id: string): string {
  return /^k_[\w-]{1,18}$/.test(id) ? id : "(not the id of a key)";
}

const notFound = { outcome: "not-found" } as const;

/** Returns why a key cannot be rotated at `now` (Unix ms), or `undefined` if it can. */
function endOf(key: ApiKey | undefined, now: number): RotationResult | undefined {
  if (key === undefined || key.revokedAt !== null) return notFound;
  if (key.successorId !== null) return { outcome: "rotated-before", successor: key.successorId };
  return key.expiresAt !== null && key.expiresAt <= now ? notFound : undefined;
}

/** Formats a time for the trail: ISO 8601. */
function timeOf(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

function withoutHash(key: ApiKey): KeyInfo {
  const { hash: _hash, ...rest } = key;
  return rest;
}
