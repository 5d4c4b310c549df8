import { createHash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Principal } from "../session/access.ts";
import { Refusal } from "../session/errors.ts";
import type { Key } from "../store/store.ts";
import type { ApiRequest } from "./messages.ts";

/** Finds out who makes a request. Refuses with `credential-required` and `invalid-credential`. */
export type Authenticate = (request: ApiRequest) => Principal;

/** Mode `local`: whoever reaches this machine's own addresses may do everything. */
export const authenticateLocal: Authenticate = () => everything;

const everything: Principal = { role: "administrator", customerId: null, agentId: null };

/** Mode `key`, and how it hears of keys that were made or revoked. */
export interface KeyRing {
  readonly authenticate: Authenticate;
  /** Takes over the keys as they are stored now. */
  use(keys: readonly Key[]): void;
}

/** Mode `key`: `Authorization: Bearer <key>` (contract, section 3). */
export function createKeyRing(clock: Clock): KeyRing {
  let byHash = new Map<string, { readonly key: Key; readonly hash: Buffer }>();

  function find(token: string): Key | undefined {
    const hash = createHash("sha256").update(token).digest();
    const entry = byHash.get(hash.toString("hex"));
    // Looking up a hash tells nothing about the key; comparing in constant time costs nothing more.
    return entry !== undefined && timingSafeEqual(entry.hash, hash) ? entry.key : undefined;
  }

  return {
    authenticate(request) {
      const header = request.header("authorization");
      if (header === null || header === "") throw new Refusal({ code: "credential-required" });
      const token = /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(header)?.[1];
      const key = token === undefined ? undefined : find(token);
      if (key === undefined || key.revokedAt !== null || isExpired(key, clock())) {
        throw new Refusal({ code: "invalid-credential" });
      }
      return key;
    },
    use(keys) {
      byHash = new Map(keys.map((key) => [key.hash, { key, hash: Buffer.from(key.hash, "hex") }]));
    },
  };
}

function isExpired(key: Key, now: number): boolean {
  return key.expiresAt !== null && key.expiresAt <= now;
}
