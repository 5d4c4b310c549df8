import { createHmac } from "node:crypto";

/**
 * How ids stand in the log: a keyed hash, so that lines of one session can be told to belong together
 * and nobody gets from a line to the session (contract, section 3). `secrets` are the store's, newest
 * first: the oldest is the key, which a rotation does not change.
 */
export function createLogHash(
  secrets: readonly { readonly bytes: Uint8Array }[],
): (id: string) => string {
  const oldest = secrets.at(-1);
  if (oldest === undefined) throw new TypeError("a log hash needs a secret");
  const key = createHmac("sha256", oldest.bytes).update("log").digest();
  return (id) => createHmac("sha256", key).update(id).digest("base64url").slice(0, 16);
}
