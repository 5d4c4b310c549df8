import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpRequest } from "@antechamber/http1";
import type { WallClock } from "../../runtime/clock.ts";
import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";
import type { ApiKey, ApiKeyUse } from "../../store/ports/credentials.ts";

/**
 * Finds out who makes a request; a promise only where somebody else has to be asked. Refuses with
 * `credential-required`, `invalid-credential` and, when it cannot tell now, `unavailable`.
 */
export type Authenticate = (
  request: HttpRequest,
  /** Whether this is a proxy's sub-request, which carries the headers of the client's own request. */
  isSubRequest?: boolean,
) => Principal | Promise<Principal>;

/** Mode `local`: whoever reaches this machine's own addresses may do everything. */
export const authenticateLocal: Authenticate = () => everything;

const everything: Principal = { role: "administrator", customerId: null, agentId: null };

/** Mode `key`, and how it hears of keys that were made or revoked. */
export interface KeyRing {
  readonly authenticate: Authenticate;
  /** Takes over the keys as they are stored now. */
  use(keys: readonly ApiKey[]): void;
  /** The uses of keys of which the store does not know. */
  uses(): readonly ApiKeyUse[];
}

/** A key at hand. */
interface CachedKey {
  readonly key: ApiKey;
  readonly hash: Buffer;
  /** Milliseconds since 1970; 0: not since the start. */
  usedAt: number;
}

/**
 * Mode `key`: `Authorization: Bearer <key>` (contract.md#mode-key), or `x-api-key: <key>`, which the clients
 * of dialect v2 send (contract.md#dialects). Refuses with `invalid-request` if both are present.
 */
export function createKeyRing(wallClock: WallClock): KeyRing {
  let byHash = new Map<string, CachedKey>();

  function find(token: string): CachedKey | undefined {
    const hash = createHash("sha256").update(token).digest();
    const entry = byHash.get(hash.toString("hex"));
    // Looking up a hash tells nothing about the key; comparing in constant time costs nothing more.
    return entry !== undefined && timingSafeEqual(entry.hash, hash) ? entry : undefined;
  }

  return {
    authenticate(request, isSubRequest = false) {
      // In a sub-request this header is the client's, meant for the application behind the proxy.
      const apiKey = isSubRequest ? null : request.header("x-api-key");
      const token = apiKey ? apiKeyOf(apiKey, request) : bearerOf(request);
      const found = token === undefined ? undefined : find(token);
      const now = wallClock();
      if (found === undefined || found.key.revokedAt !== null || isExpired(found.key, now)) {
        throw new Refusal({ code: "invalid-credential" });
      }
      found.usedAt = now;
      return found.key;
    },
    use(keys) {
      const before = byHash;
      byHash = new Map(
        keys.map((key) => {
          const usedAt = before.get(key.hash)?.usedAt ?? 0;
          return [key.hash, { key, hash: Buffer.from(key.hash, "hex"), usedAt }];
        }),
      );
    },
    uses: () =>
      [...byHash.values()]
        .filter(({ key, usedAt }) => usedAt > (key.lastUsedAt ?? 0))
        .map(({ key, usedAt }) => ({ id: key.id, at: usedAt })),
  };
}

/** Returns the key in `Authorization`; `undefined` if the header has something else. */
function bearerOf(request: HttpRequest): string | undefined {
  const header = request.header("authorization");
  if (header === null || header === "") throw new Refusal({ code: "credential-required" });
  return /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(header)?.[1];
}

/** Returns the key in `x-api-key`; `undefined` if the header has something else. */
function apiKeyOf(apiKey: string, request: HttpRequest): string | undefined {
  if (request.header("authorization")) {
    const detail = "x-api-key and Authorization are both present: send the key in one of them.";
    const fault = { in: "header", name: "x-api-key", detail } as const;
    throw new Refusal({ code: "invalid-request", errors: [fault] });
  }
  return /^[A-Za-z0-9._~+/=-]{1,512}$/.exec(apiKey)?.[0];
}

function isExpired(key: ApiKey, now: number): boolean {
  return key.expiresAt !== null && key.expiresAt <= now;
}
