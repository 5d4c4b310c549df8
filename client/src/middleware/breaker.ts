/**
 * Keeps an outage from costing every request its deadline.
 *
 *     closed --- failures in a row ---> open --- the pause is over ---> trying
 *       ^                                ^                               |  |
 *       |                                +----------- failure -----------+  |
 *       +----------------------------------- success -----------------------+
 *
 * Closed: everybody may call. Open: nobody. Trying: one may, and everybody else waits for a pause
 * more, however long that one takes.
 */
export interface Breaker {
  /** Whether to call now. Whoever is told `true` reports how it went. */
  allows(): boolean;
  succeeded(): void;
  failed(): void;
}

/** So many that a single slow answer does not take the sessions of others away. */
const FAILURES = 3;
/** Milliseconds. One request in this time pays the deadline during an outage. */
const PAUSE = 2000;

/** `now` counts milliseconds and never goes back. */
export function createBreaker(now: () => number = () => performance.now()): Breaker {
  let failures = 0;
  let retryAt = 0;
  return {
    allows() {
      if (failures < FAILURES) return true;
      if (now() < retryAt) return false;
      retryAt = now() + PAUSE;
      return true;
    },
    succeeded() {
      failures = 0;
    },
    failed() {
      failures += 1;
      retryAt = now() + PAUSE;
    },
  };
}
