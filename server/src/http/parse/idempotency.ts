import { createHash } from "node:crypto";
import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";

/** A structured-field string, or, as most clients send it, the same without quotes. */
const KEY = /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/** A hash of the idempotency key, and one of the request, which shows whether the key is reused for another one. */
export interface RequestKey {
  readonly key: string;
  readonly fingerprint: string;
}

/**
 * Returns the idempotency key of a request (draft-ietf-httpapi-idempotency-key-header), or `undefined` without one.
 * Callers and operations do not share keys. `parts` are the content of the request. Refuses with `invalid-request`.
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
    const detail =
      "Idempotency-Key must be given once, and have 1 to 255 visible ASCII characters.";
    throw new Refusal({
      code: "invalid-request",
      errors: [{ in: "header", name: "Idempotency-Key", detail }],
    });
  }
  const { role, customerId, agentId } = principal;
  const owner = JSON.stringify([operation, role, customerId, agentId]);
  return { key: hash([owner, match[1] ?? match[2] ?? ""]), fingerprint: hash(parts) };
}

/** Returns the SHA-256 hash of the parts. Their lengths are hashed too, so that their boundaries matter. */
function hash(parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash("sha256");
  for (const part of parts) sum.update(`${Buffer.byteLength(part)}:`).update(part);
  return sum.digest("base64url");
}
