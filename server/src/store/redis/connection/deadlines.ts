/** Entries that expire at their deadline. One timer serves all of them, as most are removed long before. */
export interface Deadlines {
  /** Calls `expire` of the entry at its deadline, or up to `TICK` ms later, unless it is removed before. */
  add(entry: Expiring): void;
  remove(entry: Expiring): void;
}

export interface Expiring {
  /** Time by `performance.now()`. */
  readonly deadline: number;
  expire(): void;
}

const TICK = 20;

/** Creates an empty set; its timer runs only while there are entries. */
export function createDeadlines(): Deadlines {
  const entries = new Set<Expiring>();
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const now = performance.now();
    for (const entry of entries) {
      if (entry.deadline > now) continue;
      entries.delete(entry);
      entry.expire();
    }
    if (entries.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    add(entry) {
      entries.add(entry);
      timer ??= setInterval(tick, TICK);
    },
    remove(entry) {
      entries.delete(entry);
    },
  };
}
