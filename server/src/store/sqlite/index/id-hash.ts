/*
 * Keyed hashes of callers' ids: 48 of the 64 bits of HalfSipHash-2-4 (J.-P. Aumasson and D. J. Bernstein, SipHash: a
 * fast short-input PRF, 2012, in its form for 32-bit machines). Without knowing the key, nobody can choose ids that
 * have the same hash. The function takes a tenth of the time of SHA-256.
 */

/** Returns the hash of an id, below 2^48. `tag`, a number for the kind of id, makes hashes of equal ids differ. */
export type IdHash = (tag: number, id: string) => number;

/** Creates a hash function. Its key is the first 8 bytes of `seed`. */
export function createIdHash(seed: Uint8Array): IdHash {
  const key = Buffer.from(seed);
  const k0 = key.readInt32LE(0);
  const k1 = key.readInt32LE(4);
  let [v0, v1, v2, v3] = [0, 0, 0, 0];

  function rounds(count: number): void {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
  }

  function take(word: number): void {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }

  /** Hashes the UTF-16 code units of the id, two bytes each, little-endian. */
  return (tag, id) => {
    v0 = k0;
    v1 = k1 ^ 0xee;
    v2 = 0x6c796765 ^ k0;
    v3 = 0x74656462 ^ k1;
    take(tag);
    const { length } = id;
    const pairs = length - (length % 2);
    for (let i = 0; i < pairs; i += 2) take(id.charCodeAt(i) | (id.charCodeAt(i + 1) << 16));
    const last = pairs === length ? 0 : id.charCodeAt(pairs);
    take(((4 + 2 * length) << 24) | last);
    v2 ^= 0xee;
    rounds(4);
    const first = (v1 ^ v3) >>> 0;
    v1 ^= 0xdd;
    rounds(4);
    return first * 2 ** 16 + ((v1 ^ v3) & 0xffff);
  };
}
