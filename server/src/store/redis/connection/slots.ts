/** Number of slots of a cluster. */
export const SLOTS = 16_384;

/** CRC-16/XMODEM of each byte. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/**
 * Returns the slot of a key: of the part in the first braces if that is not empty, else of the whole key
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags).
 */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (let i = 0; i < hashed.length; i++) {
    const code = hashed.charCodeAt(i);
    // The hash is that of the bytes in UTF-8.
    if (code > 127) return slotOfBytes(Buffer.from(hashed));
    crc = next(crc, code);
  }
  return crc % SLOTS;
}

function slotOfBytes(bytes: Buffer): number {
  return bytes.reduce(next, 0) % SLOTS;
}

function next(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ byte] as number);
}
