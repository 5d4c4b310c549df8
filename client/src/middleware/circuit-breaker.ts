/**
 * Prevents that every request waits for the whole deadline during an outage.
 *
 *     closed --- failures in a row ---> open --- OPEN_MS have passed ---> half-open
 *       ^                                ^                                 |  |
 *       |                                +------------- failure -----------+  |
 *       +-------------------------------------- success ----------------------+
 *
 * Closed: all calls are allowed. Open: none. Half-open: one is; further calls wait for another `OPEN_MS`, however
 * long that one takes.
 */
export interface CircuitBreaker {
  /** Returns whether a call is allowed now. The caller then reports its result. */
  allowsCall(): boolean;
  recordSuccess(): void;
  recordFailure(): void;
}

/** More than one, so that a single slow response does not affect other visitors. */
const FAILURE_THRESHOLD = 3;
/** During an outage, one request in this time waits for the deadline. */
const OPEN_MS = 2000;

/** Creates a closed circuit breaker. `now` returns milliseconds and never goes back. */
export function createCircuitBreaker(now: () => number = () => performance.now()): CircuitBreaker {
  let failures = 0;
  let retryAt = 0;
  return {
    allowsCall() {
      if (failures < FAILURE_THRESHOLD) return true;
      if (now() < retryAt) return false;
      retryAt = now() + OPEN_MS;
      return true;
    },
    recordSuccess() {
      failures = 0;
    },
    recordFailure() {
      failures += 1;
      retryAt = now() + OPEN_MS;
    },
  };
}
