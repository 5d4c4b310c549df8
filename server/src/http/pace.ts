import type { ApiResponse } from "./messages.ts";

/** Keeps whoever is refused for asking too often from asking ever faster. */
export interface Pace {
  /** The refusal: at once while there are few, else a moment later. Never rejects. */
  hold(refusal: ApiResponse): ApiResponse | Promise<ApiResponse>;
}

/** How many are told at once in each stretch of so many milliseconds. */
const AT_ONCE = 50;
const STRETCH = 50;
/** How many wait at the most; what is more is told at once, since waiting takes memory. */
const MAX_HELD = 1000;

/**
 * A refusal costs what every answer costs, and whoever ignores it asks again as soon as it is there: at
 * the full speed of his connections, which the others miss. So beyond a thousand a second refusals wait
 * until the next stretch begins, at most 50 ms, and a connection gets one in that time instead of many.
 * Whoever is refused now and then does not notice.
 */
export function createPace(): Pace {
  let since = Number.NEGATIVE_INFINITY;
  let told = 0;
  let held: (() => void)[] = [];

  function release(): void {
    const released = held;
    held = [];
    for (const tell of released) tell();
  }

  return {
    hold(refusal) {
      const now = performance.now();
      if (now - since >= STRETCH) {
        since = now;
        told = 0;
      }
      if (told < AT_ONCE || held.length >= MAX_HELD) {
        told++;
        return refusal;
      }
      if (held.length === 0) setTimeout(release, STRETCH - (now - since));
      return new Promise((resolve) => {
        held.push(() => resolve(refusal));
      });
    },
  };
}
