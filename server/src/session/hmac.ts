import { createHmac, hash } from "node:crypto";

/** Returns the HMAC-SHA-256 in the first 32 bytes of a buffer, which the next call overwrites. */
export type Hmac = (text: Uint8Array) => Uint8Array;
/** Creates the HMAC function of a secret for texts of exactly `textBytes` bytes. */
export type HmacFactory = (secret: Uint8Array, textBytes: number) => Hmac;

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;

/**
 * Computes the HMAC with one-shot hashes (RFC 2104, section 2: H(K xor opad, H(K xor ipad, text))). The padded keys are
 * computed only once. For short texts, this takes a third of the time of `createHmac`.
 */
export const createNodeHmac: HmacFactory = (secret, textBytes) => {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(secret.length > BLOCK_BYTES ? hash("sha256", secret, "buffer") : secret);
  const inner = Buffer.alloc(BLOCK_BYTES + textBytes);
  const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES);
  const result = Buffer.alloc(HASH_BYTES);
  for (let i = 0; i < BLOCK_BYTES; i++) {
    inner[i] = (block[i] as number) ^ 0x36;
    outer[i] = (block[i] as number) ^ 0x5c;
  }
  return (text) => {
    inner.set(text, BLOCK_BYTES);
    outer.write(hash("sha256", inner, "latin1"), BLOCK_BYTES, "latin1");
    result.write(hash("sha256", outer, "latin1"), "latin1");
    return result;
  };
};

/** Creates an HMAC function and tests it with one text: ids with a wrong HMAC would later become invalid. */
export function createTestedHmac(create: HmacFactory, secret: Uint8Array, textBytes: number): Hmac {
  const hmac = create(secret, textBytes);
  const text = Buffer.alloc(textBytes, 0xa5);
  const expected = createHmac("sha256", secret).update(text).digest();
  if (!expected.equals(hmac(text).subarray(0, HASH_BYTES))) {
    throw new Error("HMAC self-test failed");
  }
  return hmac;
}
