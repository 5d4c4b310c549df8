/** A bounded map that keeps what was used lately. */
export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
}

/**
 * Two generations of up to `capacity / 2` entries: what is used in the old one moves to the young
 * one, and when the young one is full the old one is dropped as a whole. A hit in the young one,
 * which is nearly every hit, is a single look-up, where a linked list would move an entry each time.
 */
export function createCache<V>(capacity: number): Cache<V> {
  const generation = Math.max(1, Math.floor(capacity / 2));
  let young = new Map<string, V>();
  let old = new Map<string, V>();

  function set(key: string, value: V): void {
    if (young.size >= generation && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}
