import { createHmac } from "node:crypto";

/**
 * Creates the function that returns the keyed hash of an id for logs. All lines about one session have the same hash,
 * and nobody can compute the id from it (contract.md#secrets-in-logs). `secrets` are the secrets of the store, newest
 * first. The key is derived from the oldest secret, so that the hashes stay the same when a new secret is added.
 */
export function createLogHash(secrets: readonly { readonly bytes: Uint8Array }[]): (id: string) => string {
  const oldest = secrets.at(-1);
  if (oldest === undefined) throw new TypeError("a log hash needs a secret");
  const key = createHmac("sha256", oldest.bytes).update("log").digest();
  return (id) => createHmac("sha256", key).update(id).digest("base64url").slice(0, 16);
}
