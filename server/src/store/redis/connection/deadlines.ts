/** Calls back what takes too long, with one timer for all: most take a thousandth of their time. */
export interface Deadlines {
  /** `expired` is called at `until` (`performance.now()`) or up to `TICK` ms later, unless removed. */
  add(entry: Deadline): void;
  remove(entry: Deadline): void;
}

export interface Deadline {
  readonly until: number;
  expired(): void;
}

const TICK = 20;

/** No deadlines; the timer runs while there are some. */
export function createDeadlines(): Deadlines {
  const entries = new Set<Deadline>();
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    const now = performance.now();
    for (const entry of entries) {
      if (entry.until > now) continue;
      entries.delete(entry);
      entry.expired();
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
