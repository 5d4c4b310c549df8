/** Entries that expire at their deadlines. All entries share one timer, because most are removed before they expire. */
export interface Deadlines {
  /** Calls `expire` of the entry at its deadline, or up to `TICK` ms later, unless the entry is removed earlier. */
  add(entry: Expiring): void;
  remove(entry: Expiring): void;
}

/** An entry with a deadline. */
export interface Expiring {
  /** Deadline on the clock of `performance.now()`. */
  readonly deadline: number;
  expire(): void;
}

/** Interval (ms) at which deadlines are checked. */
const TICK = 20;

/** Creates an empty set of entries. Its timer runs only while there are entries. */
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
