/** Time (ms) for which notes wait for others, to share commands with them, if no events are published. */
const DELAY_WITHOUT_EVENTS = 500;
/** Time (ms) for which the first note waits at least, so that the response to its change leaves before. */
const SHORTEST_DELAY = 5;
/** The pause (ms) after a batch for each of its notes, and the longest one. */
const PAUSE_PER_NOTE = 1;
const LONGEST_PAUSE = 200;

/**
 * Decides for how long notes wait until their batch begins. Without events nobody waits for a batch: readers of indexes
 * work notes off themselves. With events, a batch is followed by a pause that is the longer the more notes it had. If there
 * are few, they are worked off soon. From some 1,000 notes a second on, each batch is larger than the one before, up to the
 * longest pause, and its notes share commands. At any number of notes, batches send at most some 2,000 commands a second to
 * one server.
 */
export class BatchPace {
  readonly #publishes: boolean;
  #pausesUntil = 0;

  /** `publishes` is whether changes are published in the event log. */
  constructor(publishes: boolean) {
    this.#publishes = publishes;
  }

  /** Returns the time (ms) from `now`, when the first note of a batch is there, to the begin of the batch. */
  delay(now: number): number {
    if (!this.#publishes) return DELAY_WITHOUT_EVENTS;
    return Math.max(SHORTEST_DELAY, this.#pausesUntil - now);
  }

  /** Reports that a batch of `count` notes has ended at `now` (ms, any clock that never runs backwards). */
  ended(now: number, count: number): void {
    this.#pausesUntil = now + Math.min(LONGEST_PAUSE, count * PAUSE_PER_NOTE);
  }
}
