/** Returns the time of sessions in Unix ms. It never runs backwards, even across a restart (`createClock`). */
export type Clock = () => number;

/**
 * The machine's clock: returns the time in Unix ms. It may jump forwards or backwards. Credentials expire by this
 * clock, so a jump by mistake has no effect on them once the clock is corrected.
 */
export type WallClock = () => number;

/** The clocks that `createClock` reads; tests pass their own. */
export interface TimeSource {
  /** Returns the machine's time in Unix ms, which may jump forwards or backwards. */
  wall(): number;
  /** Returns ms since an arbitrary moment. This clock does not jump, but stops while the machine sleeps. */
  monotonic(): number;
}

/** The clocks of this machine. */
export const machineTime: TimeSource = {
  wall: Date.now,
  monotonic: () => Math.floor(performance.now()),
};

/**
 * Creates a clock that never runs backwards. It follows the wall clock; when the wall clock is set back, it follows the
 * monotonic clock until the wall clock has caught up. It starts no earlier than `floor` (Unix ms), the latest time in
 * the store. So an expired session never becomes live again (contract.md#rule-6).
 */
export function createClock(source: TimeSource, floor = 0): Clock {
  let last = source.monotonic();
  let now = Math.max(floor, source.wall());

  return () => {
    const monotonic = source.monotonic();
    now = Math.max(source.wall(), now + monotonic - last);
    last = monotonic;
    return now;
  };
}
