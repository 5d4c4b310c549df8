import { createHmac } from "node:crypto";

/**
 * Creates the keyed hash of ids in logs: lines of one session have the same hash, which does not lead back to the
 * session (contract.md#secrets-in-logs). `secrets` are the store's, newest first. The oldest is the key, so that a
 * rotation does not change the hash.
 */
export function createLogHash(
  secrets: readonly { readonly bytes: Uint8Array }[],
): (id: string) => string {
  const oldest = secrets.at(-1);
  if (oldest === undefined) throw new TypeError("a log hash needs a secret");
  const key = createHmac("sha256", oldest.bytes).update("log").digest();
  return (id) => createHmac("sha256", key).update(id).digest("base64url").slice(0, 16);
}
