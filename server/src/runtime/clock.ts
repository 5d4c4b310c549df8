/** Milliseconds since 1970. Never runs backwards, not over a restart either (see `createClock`). */
export type Clock = () => number;

/**
 * Returns the machine's time in Unix ms, which may jump either way. Credentials expire by it, so that a
 * mistaken jump has no effect once it is corrected.
 */
export type WallClock = () => number;

/** Where a clock gets its time from; passed in, so that tests hold it. */
export interface TimeSource {
  /** The wall clock, milliseconds since 1970: may jump either way. */
  wall(): number;
  /** Milliseconds since some moment: runs evenly, but stands still while the machine sleeps. */
  monotonic(): number;
}

/** The machine's own time. */
export const machineTime: TimeSource = {
  wall: Date.now,
  monotonic: () => Math.floor(performance.now()),
};

/**
 * A clock that is as late as the wall clock at least, and goes on at the machine's own pace at least:
 * where the wall clock jumps forward it follows, where that steps back it does not. It starts at
 * `floor` (ms) at the earliest: the latest time of which the store knows that it has been. So an
 * expired session never comes back, whatever the wall clock does (contract rule 6).
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
