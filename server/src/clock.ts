/** Milliseconds since 1970. Never runs backwards, not over a restart either (see `createClock`). */
export type Clock = () => number;

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
 * A clock that follows the wall clock forward and ignores it when it steps back: time then goes on
 * at the pace of the monotonic clock until the wall clock has caught up. It starts at `floor` (ms) at
 * the earliest: the latest time of which the store knows that it has been. So an expired session
 * never comes back, whatever the wall clock does (contract rule 6).
 */
export function createClock(source: TimeSource, floor = 0): Clock {
  let now = Math.max(floor, source.wall());
  /** What to add to the monotonic clock while the wall clock is behind. */
  let offset: number | undefined;

  return () => {
    const wall = source.wall();
    if (wall >= now) {
      offset = undefined;
      now = wall;
    } else {
      offset ??= now - source.monotonic();
      now = Math.max(now, offset + source.monotonic());
    }
    return now;
  };
}
