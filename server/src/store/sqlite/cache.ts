/** A bounded map that keeps what was used lately. */
export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  /** Keeps a value that can be had again if it was offered before, not long ago. */
  offer(key: string, value: V): void;
  delete(key: string): void;
}

/** How many marks there are, a bit each, and how many are set before they are wiped out. */
const MARKS = 2 ** 21;
const MAX_MARKED = 2 ** 16;

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
  const marks = new Uint8Array(MARKS / 8);
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
      const byte = marks[mark >> 3] as number;
      const bit = 1 << (mark & 7);
      if ((byte & bit) !== 0) return set(key, value);
      marks[mark >> 3] = byte | bit;
      if (++marked < MAX_MARKED) return;
      marks.fill(0);
      marked = 0;
    },
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}

/** 21 bits of four characters from the random part of a session id. */
function markOf(key: string): number {
  const bits =
    (key.charCodeAt(14) << 15) ^
    (key.charCodeAt(15) << 10) ^
    (key.charCodeAt(16) << 5) ^
    key.charCodeAt(17);
  return bits & (MARKS - 1);
}
