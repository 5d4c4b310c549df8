import type { ApiKeyInfo as ApiKeyJson } from "@antechamber/client/protocol";
import type { ApiKeyInfo } from "../services/credentials.ts";

/** Returns an API key as JSON, with its status at `now` (Unix ms). */
export function apiKeyInfo(key: ApiKeyInfo, now: number): ApiKeyJson {
  const { id, name, role, customerId, agentId, successorId, createdAt, expiresAt, revokedAt, lastUsedAt } = key;
  const isExpired = expiresAt !== null && expiresAt <= now;
  return {
    ...{ id, name, role, customerId, agentId },
    status: revokedAt !== null ? "revoked" : isExpired ? "expired" : "valid",
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: isoOrNull(expiresAt),
    revokedAt: isoOrNull(revokedAt),
    lastUsedAt: isoOrNull(lastUsedAt),
    successorId,
  };
}

function isoOrNull(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
