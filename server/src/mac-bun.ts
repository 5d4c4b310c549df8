import type { MacMaker } from "./session/id.ts";

/** Bun's own HMAC, half the time of what `node:crypto` can do: an anonymous session is little else. */
export const createBunMac: MacMaker = (secret) => {
  const keyed = new Bun.CryptoHasher("sha256", secret);
  return (claim) => keyed.copy().update(claim).digest("base64url").slice(0, 16);
};
