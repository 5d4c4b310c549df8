import { randomFillSync } from "node:crypto";

const BYTES = 6;
/** Random bytes for 512 nonces. Calling the random generator for each nonce would be slow. */
const pool = Buffer.alloc(512 * BYTES);
let used = pool.length;

/** Returns a nonce: eight random characters that identify an attempt or a request. */
export function newNonce(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += BYTES;
  return pool.toString("base64url", start, used);
}
