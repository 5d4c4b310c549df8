import type { HmacFactory } from "./hmac.ts";

/** Bun requires this size of the buffer for a digest, whatever the length of the digest. */
const BUFFER_BYTES = 64;

/** Bun's HMAC takes half the time of that of `node:crypto`. The HMAC is most of the work for an anonymous session. */
export const createBunHmac: HmacFactory = (secret) => {
  const keyed = new Bun.CryptoHasher("sha256", secret);
  const result = new Uint8Array(BUFFER_BYTES);
  return (text) => {
    keyed.copy().update(text).digest(result);
    return result;
  };
};
