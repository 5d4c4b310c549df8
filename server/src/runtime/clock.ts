/** Returns the time of sessions in Unix ms. It never runs backwards, not even across a restart (see `createClock`). */
export type Clock = () => number;

/**
 * Returns the machine's time in Unix ms, which may jump either way. Credentials expire by it, so that a
 * mistaken jump has no effect once it is corrected.
 */
export type WallClock = () => number;

/** The source of a clock; tests pass their own. */
export interface TimeSource {
  /** Returns the wall clock in Unix ms, which may jump either way. */
  wall(): number;
  /** Returns milliseconds since some moment. It does not jump, but stands still while the machine sleeps. */
  monotonic(): number;
}

/** The machine's own time. */
export const machineTime: TimeSource = {
  wall: Date.now,
  monotonic: () => Math.floor(performance.now()),
};

/**
 * Creates a clock that never runs backwards: it follows the wall clock forward, and the monotonic clock while the wall
 * clock steps back. It starts no earlier than `floor` (ms), the latest time in the store. So an expired session never
 * comes back, whatever the wall clock does (contract.md#rule-6).
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
