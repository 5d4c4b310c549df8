import { createHash, randomBytes } from "node:crypto";
import type { Principal } from "../../src/session/permissions.ts";
import type { ApiKey } from "../../src/store/ports/credentials.ts";

/** An API key for mode `key`, and the header that its owner sends. */
export interface TestKey {
  readonly key: ApiKey;
  readonly bearer: string;
}

/** Creates a key for `principal`. */
export function keyFor(principal: Partial<Principal>, more: Partial<ApiKey> = {}): TestKey {
  const secret = `ak_${randomBytes(32).toString("base64url")}`;
  return {
    bearer: `Bearer ${secret}`,
    key: {
      id: `k_${randomBytes(6).toString("hex")}`,
      name: null,
      hash: createHash("sha256").update(secret).digest("hex"),
      role: "administrator",
      customerId: null,
      agentId: null,
      createdAt: Date.now(),
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
      successorId: null,
      ...principal,
      ...more,
    },
  };
}
