import type { ApiResponse } from "./messages.ts";

/** Keeps whoever is refused for asking too often from asking ever faster. */
export interface Pace {
  /** The refusal: at once while there are few, else a moment later. Never rejects. */
  hold(refusal: ApiResponse): ApiResponse | Promise<ApiResponse>;
}

/** How many are told in each step of so many milliseconds: a thousand a second. */
const A_STEP = 5;
const STEP = 5;
/** After so many steps whoever waits now has been told, however many wait. */
const STEPS_AT_MOST = 10;
/** How many wait at the most; what is more is told at once, since waiting takes memory. */
const MAX_HELD = 1000;

/**
 * A refusal costs what every answer costs, and whoever ignores it asks again as soon as it is there: at
 * the full speed of his connections, which the others miss. So beyond a thousand a second refusals wait
 * their turn, at most 50 ms, and a connection gets one in that time instead of many. They are told a few
 * at a time: each is followed at once by the next request, and a crowd of these would hold up the others.
 * Whoever is refused now and then does not notice.
 */
export function createPace(): Pace {
  let since = Number.NEGATIVE_INFINITY;
  let told = 0;
  let held: (() => void)[] = [];
  let turn = A_STEP;

  /** Begins a step: the next ones in line are told, and the line goes on while it is one. */
  function step(): void {
    // No fewer than in the steps before, or who came last would wait longer than was promised.
    turn = Math.max(turn, Math.ceil(held.length / STEPS_AT_MOST));
    const released = held.slice(0, turn);
    held = held.slice(turn);
    since = performance.now();
    told = released.length;
    if (held.length > 0) setTimeout(step, STEP);
    else turn = A_STEP;
    for (const tell of released) tell();
  }

  return {
    hold(refusal) {
      const now = performance.now();
      if (held.length === 0 && now - since >= STEP) {
        since = now;
        told = 0;
      }
      if (told < A_STEP || held.length >= MAX_HELD) {
        told++;
        return refusal;
      }
      if (held.length === 0) setTimeout(step, STEP - (now - since));
      return new Promise((resolve) => {
        held.push(() => resolve(refusal));
      });
    },
  };
}
