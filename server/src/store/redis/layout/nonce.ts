import { randomFillSync } from "node:crypto";

const BYTES = 6;
/** Random bytes for many nonces: one call of the CSPRNG for each would be the most expensive part. */
const pool = Buffer.alloc(512 * BYTES);
let used = pool.length;

/** Returns eight random characters that identify an attempt. */
export function newNonce(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += BYTES;
  return pool.toString("base64url", start, used);
}
