/*
 * The sessions are spread over 256 shards by the last characters of their handles, and the claims of visits by the last
 * characters of the visits' hashes. All keys of a shard have the same tag in braces, so they share a slot of a cluster,
 * and a script can change a session, a claim and the queue of notes of their shard in one step. Index entries are spread
 * over every fourth shard by the hash of their id.
 *
 * The numbers are compromises. More shards spread the sessions more evenly over many primaries: with 256, the busiest of
 * 3, 10, 38 or 100 primaries has 1, 2, 4 or 17 % more than its share if each has as many slots. Fewer shards save
 * commands: a batch of notes or index entries takes one for each shard, and a reader on a cluster reads the notes of all
 * shards.
 */

/**
 * The tags, of two characters each, in the order of their slots. The slot of tag `i` is near the middle of the slots from
 * `64 * i` to `64 * i + 63`, so primaries with contiguous slots have equally many shards. Stored data depend on them.
 */
const TAGS = [
  "4Lbl4HLD9tAxX7z1BJPb6hNd07CXOv7zOI7EaaCg6WE8BuCoMi5e9KAG4wRyK68Y3AKMYaeezq2SzuXs1aImECyGxQ0sxUZS",
  "fhDnVB0L1ZgzkTIRdHFNTb2l3zeZitKrQh7faBCD6tPzI5k3SH5F9hAd4TRZ4P8zne8EnaLg24owMuosBiNClANGOQmWOUmS",
  "fKDMHcjeks60kwIqdkFmJChEiSeyiWKQ3bUlYBeFo32po7M11BWL1Fgffp0PftDrbn4NLF4JAz9vz3X5NbBHNf6jCZ057xOt",
  "7GOKCeacNY6UCmBw5gMkAE9ILy4u38K4KO3CegYcc8zsXqzwIo1cyEEA0qxSZQxWDlfj0NHBgx1XIPkVFLdJ2nJbeX3xKpiv",
  "7dQjCFQnPx6vk1I75DSJAf9jRX4V8x4R8GngLencT826oqMwNABkNElCCyOSmQOWDOfIjgHa62kqIskuFodihGJAKWiQKSiU",
  "UnwheDGB2ro1M3o5WNuHgdEb0RfrDpfv",
].join("");
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The tags of all shards. */
export const shardTags: readonly string[] = Array.from({ length: TAGS.length / 2 }, (_, i) =>
  TAGS.slice(2 * i, 2 * i + 2),
);

/** The tags of the shards that have indexes: one for each character of base64url. */
export const indexTags: readonly string[] = shardTags.filter((_, i) => i % (shardTags.length / ALPHABET.length) === 0);

const sextets = new Uint8Array(128);
for (const [i, character] of ALPHABET.split("").entries()) sextets[character.charCodeAt(0)] = i;

/** Returns the tag of the shard of a session or of a claim. `text` is the handle, or the hash of the visit. */
export function tagOf(text: string): string {
  const last = sextets[text.charCodeAt(text.length - 1)] as number;
  const beforeLast = sextets[text.charCodeAt(text.length - 2)] as number;
  return shardTags[(last << 2) | (beforeLast & 3)] as string;
}

/** Returns the last byte of the handles of all sessions in the same shard as the claim of a visit with this hash. */
export function lastByteOf(hash: string): number {
  const last = sextets[hash.charCodeAt(hash.length - 1)] as number;
  const beforeLast = sextets[hash.charCodeAt(hash.length - 2)] as number;
  return ((beforeLast & 3) << 6) | last;
}

/** Returns the tag of the shard that has the index entries of an id. The first character of the id's hash chooses it. */
export function tagOfHash(hash: string): string {
  return indexTags[sextets[hash.charCodeAt(0)] as number] as string;
}
