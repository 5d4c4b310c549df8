import type { HttpRequest } from "@antechamber/http1";
import type { WallClock } from "../../runtime/clock.ts";
import { hashApiKey } from "../../services/credentials.ts";
import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";
import type { ApiKey, ApiKeyUse } from "../../store/ports/credentials.ts";

/** The part of a request from which its caller is known. */
export type CredentialSource = Pick<HttpRequest, "header" | "peer">;

/**
 * Returns the caller of a request. Returns a promise only if the caller is not known at once. Refuses with
 * `credential-required`, `invalid-credential`, or, if the caller cannot be determined now, `unavailable`.
 */
export type Authenticate = (
  request: CredentialSource,
  /** Whether this is a proxy's sub-request, which carries the headers of the client's own request. */
  isSubRequest?: boolean,
) => Principal | Promise<Principal>;

/** Mode `local`: everybody who can reach the loopback addresses of this machine is an administrator. */
export const authenticateLocal: Authenticate = () => localAdministrator;

const localAdministrator: Principal = { role: "administrator", customerId: null, agentId: null };

/** The API keys of mode `key`, cached in memory. */
export interface KeyRing {
  readonly authenticate: Authenticate;
  /** Returns the valid key with this id and notes its use; `undefined` if there is none. */
  find(id: string): ApiKey | undefined;
  /** Replaces the cached keys. */
  use(keys: readonly ApiKey[]): void;
  /** Returns the last use of each key whose last use is not stored yet. */
  uses(): readonly ApiKeyUse[];
}

/** A cached key. */
interface CachedKey {
  readonly key: ApiKey;
  /** The last use, Unix ms; 0 if the key was not used since the start. */
  usedAt: number;
}

/**
 * Creates the authentication of mode `key`. Callers send `Authorization: Bearer <key>` (contract.md#mode-key); the
 * clients of dialect v2 send `x-api-key: <key>` (contract.md#dialects). A request with both headers is refused with
 * `invalid-request`.
 */
export function createKeyRing(wallClock: WallClock): KeyRing {
  /** The cached keys by their hash. The time of a lookup depends only on the hash, so it reveals nothing of a key. */
  let byHash = new Map<string, CachedKey>();
  let byId = new Map<string, CachedKey>();

  /** Returns the key and notes its use; `undefined` if it is not valid. */
  function use(found: CachedKey | undefined): ApiKey | undefined {
    const now = wallClock();
    if (found === undefined || found.key.revokedAt !== null || isExpired(found.key, now)) return undefined;
    found.usedAt = now;
    return found.key;
  }

  return {
    authenticate(request, isSubRequest = false) {
      // In a sub-request, `x-api-key` is a header of the client's own request, and meant for the application behind the
      // proxy.
      const apiKey = isSubRequest ? null : request.header("x-api-key");
      const token = apiKey ? apiKeyOf(apiKey, request) : bearerOf(request);
      const key = use(token === undefined ? undefined : byHash.get(hashApiKey(token)));
      if (key === undefined) throw new Refusal({ code: "invalid-credential" });
      return key;
    },
    find: (id) => use(byId.get(id)),
    use(keys) {
      const before = byHash;
      byHash = new Map(keys.map((key) => [key.hash, { key, usedAt: before.get(key.hash)?.usedAt ?? 0 }]));
      byId = new Map([...byHash.values()].map((cached) => [cached.key.id, cached]));
    },
    uses: () =>
      [...byHash.values()]
        .filter(({ key, usedAt }) => usedAt > (key.lastUsedAt ?? 0))
        .map(({ key, usedAt }) => ({ id: key.id, at: usedAt })),
  };
}

/** Returns the key in `Authorization`; `undefined` if the header has something else. */
function bearerOf(request: CredentialSource): string | undefined {
  const header = request.header("authorization");
  if (header === null || header === "") throw new Refusal({ code: "credential-required" });
  return /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(header)?.[1];
}

/** Returns the key in `x-api-key`; `undefined` if the header has something else. */
function apiKeyOf(apiKey: string, request: CredentialSource): string | undefined {
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
