/** The number of bits in the filter of offered keys. */
const FILTER_BITS = 2 ** 21;
/** The number of offered keys after which the filter is cleared. */
const MAX_OFFERED = 2 ** 16;

/**
 * A map of recently used values by session id or handle, with a bounded size.
 *
 * It has two halves of up to `capacity / 2` entries. An entry of the old half moves to the young one when it is used.
 * When the young half is full, it becomes the old one, and the previous old one is dropped as a whole. So nearly every
 * hit is a single look-up. A list in the order of use would have to move an entry at each hit.
 */
export class RecentMap<Value> {
  readonly #halfSize: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  readonly #filter = new Uint8Array(FILTER_BITS / 8);
  #offered = 0;

  constructor(capacity: number) {
    this.#halfSize = Math.max(1, Math.floor(capacity / 2));
  }

  get(key: string): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#halfSize && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /**
   * Sets a value if its key was offered before. So a value that is used only once drives out no other one, and costs
   * little.
   */
  offer(key: string, value: Value): void {
    const index = filterIndexOf(key);
    const byte = this.#filter[index >> 3] as number;
    const bit = 1 << (index & 7);
    if ((byte & bit) !== 0) {
      this.set(key, value);
      return;
    }
    this.#filter[index >> 3] = byte | bit;
    if (++this.#offered < MAX_OFFERED) return;
    this.#filter.fill(0);
    this.#offered = 0;
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/** Returns the position of a key in the filter: 21 bits from four characters in the random part of the handle. */
function filterIndexOf(key: string): number {
  const bits = (key.charCodeAt(14) << 15) ^ (key.charCodeAt(15) << 10) ^ (key.charCodeAt(16) << 5) ^ key.charCodeAt(17);
  return bits & (FILTER_BITS - 1);
}
