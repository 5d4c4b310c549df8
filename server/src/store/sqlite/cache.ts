/** A bounded map that keeps what was used lately. */
export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  /** Keeps a value that can be had again if it was offered before, not long ago. */
  offer(key: string, value: V): void;
  delete(key: string): void;
}

/** How many of the latest offers are told apart, by their marks; a power of two. */
const MARKS = 2 ** 18;

/**
 * Two generations of up to `capacity / 2` entries: what is used in the old one moves to the young
 * one, and when the young one is full the old one is dropped as a whole. A hit in the young one,
 * which is nearly every hit, is a single look-up, where a linked list would move an entry each time.
 *
 * What is read once only is not kept: it would drive out what is read often, and keeping it costs more
 * than reading it again. So an offer leaves a mark, and the next one finds it.
 */
export function createCache<V>(capacity: number): Cache<V> {
  const generation = Math.max(1, Math.floor(capacity / 2));
  let young = new Map<string, V>();
  let old = new Map<string, V>();
  const marks = new Uint8Array(MARKS);
  let marked = 0;

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
    offer(key, value) {
      const mark = markOf(key);
      if (marks[mark] === 1) return set(key, value);
      if (marked++ > MARKS / 4) {
        marks.fill(0);
        marked = 0;
      }
      marks[mark] = 1;
    },
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}

/** Three characters from the random part of a session id. */
function markOf(key: string): number {
  const bits =
    (key.charCodeAt(14) << 12) ^
    (key.charCodeAt(15) << 6) ^
    key.charCodeAt(16) ^
    (key.charCodeAt(17) << 3);
  return bits & (MARKS - 1);
}
