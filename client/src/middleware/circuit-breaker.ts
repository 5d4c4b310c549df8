/**
 * Decides whether a call to Antechamber is allowed. During an outage, most requests then continue at once instead of
 * waiting for the whole deadline.
 *
 *     closed --- failures in a row ---> open --- OPEN_MS have passed ---> half-open
 *       ^                                ^                                 |  |
 *       |                                +------------- failure -----------+  |
 *       +-------------------------------------- success ----------------------+
 *
 * Closed: all calls are allowed. Open: no call is allowed. Half-open: one call is allowed; the next one is allowed only
 * after another `OPEN_MS`, even if the first has not ended by then.
 */
export interface CircuitBreaker {
  /** Returns whether a call is allowed now. If it is, the caller must report the result of the call. */
  allowsCall(): boolean;
  recordSuccess(): void;
  recordFailure(): void;
}

/** Number of failures in a row that open the circuit breaker. One slow response must not affect other visitors. */
const FAILURE_THRESHOLD = 3;
/** How long (ms) the breaker stays open. In an outage only one request in this time waits for the deadline. */
const OPEN_MS = 2000;

/** Creates a closed circuit breaker. `now` returns milliseconds and must never go back. */
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
