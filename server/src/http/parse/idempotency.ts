import { createHash } from "node:crypto";
import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";

/** An idempotency key: a string in double quotes (a structured field) or, as most clients send it, without. */
const KEY = /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/** The idempotency key of a request, as it is stored. */
export interface RequestKey {
  /** A hash of the key, the operation and the caller. */
  readonly key: string;
  /** A hash of the request's content, which shows whether the key is reused for a different request. */
  readonly fingerprint: string;
}

/**
 * Returns the idempotency key of a request (draft-ietf-httpapi-idempotency-key-header), or `undefined` without one. Two
 * callers, or two operations, can use the same key for different requests. `parts` are the content of the request.
 * Refuses with `invalid-request` if the header is malformed.
 */
export function requestKeyOf(
  request: HttpRequest,
  principal: Principal,
  operation: string,
  parts: readonly (string | Uint8Array)[],
): RequestKey | undefined {
  const header = request.header("idempotency-key");
  if (header === null || header === "") return undefined;
  const match = KEY.exec(header.trim());
  if (match === null) {
    const detail = "Idempotency-Key must be given once, and have 1 to 255 visible ASCII characters.";
    throw new Refusal({
      code: "invalid-request",
      errors: [{ in: "header", name: "Idempotency-Key", detail }],
    });
  }
  const { role, customerId, agentId } = principal;
  const owner = JSON.stringify([operation, role, customerId, agentId]);
  return { key: hash([owner, match[1] ?? match[2] ?? ""]), fingerprint: hash(parts) };
}

/** Returns the SHA-256 hash of the parts and their lengths, so that "ab", "c" and "a", "bc" differ. */
function hash(parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest("base64url");
}
