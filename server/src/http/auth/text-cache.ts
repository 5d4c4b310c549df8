/**
 * A cache of values by text, bounded by the number of entries and by the characters of their keys. It has two
 * generations: when the recent one has reached half of a limit, it becomes the older one, which is dropped. Entries
 * that are used meanwhile move to the recent one.
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

/** Returns a function that caches up to 10,000 results of `read`, except `undefined`, by texts of 1 MB in all. */
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
