import { randomFillSync } from "node:crypto";

const BYTES = 6;
/** Drawn from the CSPRNG for many at a time: a call for each costs more than the rest of it. */
const pool = Buffer.alloc(512 * BYTES);
let used = pool.length;

/** Eight characters that tell one attempt from all others about the same. */
export function newNonce(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const start = used;
  used += BYTES;
  return pool.toString("base64url", start, used);
}
