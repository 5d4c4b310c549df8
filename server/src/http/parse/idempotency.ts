import { createHash } from "node:crypto";
import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";

/** What `Idempotency-Key` may hold: a structured-field string, or as most clients send it, without quotes. */
const KEY = /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/** The key of a request, and what tells the request from others under it; hashes, both. */
export interface RequestKey {
  readonly key: string;
  readonly fingerprint: string;
}

/**
 * The idempotency key of a request (draft-ietf-httpapi-idempotency-key-header), or `undefined`
 * without one. A key belongs to whoever sent it and to the operation. `parts` are what the request
 * consists of. Refuses with `invalid-request`.
 */
export function requestKeyOf(
  fingerprint: HttpRequest,
  principal: Principal,
  operation: string,
  parts: readonly (string | Uint8Array)[],
): RequestKey | undefined {
  const header = fingerprint.header("idempotency-key");
  if (header === null || header === "") return undefined;
  const match = KEY.exec(header.trim());
  if (match === null) {
    const detail = "Idempotency-Key is not 1 to 255 visible ASCII characters, given once.";
    throw new Refusal({
      code: "invalid-request",
      errors: [{ in: "header", name: "Idempotency-Key", detail }],
    });
  }
  const { role, customerId, agentId } = principal;
  const owner = JSON.stringify([operation, role, customerId, agentId]);
  return { key: hash([owner, match[1] ?? match[2] ?? ""]), fingerprint: hash(parts) };
}

/** SHA-256 over parts whose borders count. */
function hash(parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest("base64url");
}
