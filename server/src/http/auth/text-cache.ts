/**
 * A cache whose keys are texts. The number of entries and the total length of their keys are limited. The entries are
 * in two generations. When the recent generation reaches half of a limit, it replaces the older generation, whose
 * entries are dropped. An entry of the older generation moves to the recent one when it is used.
 */
export class TextCache<Value> {
  readonly #maxEntries: number;
  readonly #maxCharacters: number;
  #recent = new Map<string, Value>();
  #older = new Map<string, Value>();
  #recentCharacters = 0;

  constructor(maxEntries: number, maxCharacters: number) {
    this.#maxEntries = maxEntries / 2;
    this.#maxCharacters = maxCharacters / 2;
  }

  get(key: string): Value | undefined {
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: Value): void {
    const characters = this.#recentCharacters + key.length;
    if (this.#recent.size >= this.#maxEntries || characters > this.#maxCharacters) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#recentCharacters = 0;
    }
    if (!this.#recent.has(key)) this.#recentCharacters += key.length;
    this.#recent.set(key, value);
  }

  clear(): void {
    this.#recent.clear();
    this.#older.clear();
    this.#recentCharacters = 0;
  }
}

/**
 * Returns a function that caches up to 10,000 results of `read`, except `undefined`. The cached texts have at most
 * 1,000,000 characters in total.
 */
export function memoize<Value>(read: (text: string) => Value): (text: string) => Value {
  const cache = new TextCache<Value>(10_000, 1_000_000);
  return (text) => {
    let value = cache.get(text);
    if (value === undefined) {
      value = read(text);
      cache.set(text, value);
    }
    return value;
  };
}
