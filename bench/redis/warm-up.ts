/** The cost of a subject is steady when this many windows in a row differ little. */
const WINDOWS = 3;
/** How much these windows may differ from each other, as a share of the least of them. */
const TOLERANCE = 0.05;
/** Maximum duration of a warm-up, in seconds; each window takes one second. */
const MAX_WARM_UP = 20;

/** A warm-up before a measurement. */
export type WarmUp = {
  /** Duration in seconds. */
  seconds: number;
  /** Whether the cost was steady at its end. If not, it was ended by its maximum duration. */
  isSteady: boolean;
};

/**
 * Calls `window` until the cost of a request is steady, or until `MAX_WARM_UP`. `window` runs a load of one second and
 * returns the CPU time of a request. CPU time is compared, and not the rate, because other programs on the machine change
 * the rate; on a core of its own a subject has a steady rate when its cost is steady.
 */
export async function warmUntilSteady(window: () => Promise<number>): Promise<WarmUp> {
  const costs: number[] = [];
  while (costs.length < MAX_WARM_UP) {
    costs.push(await window());
    if (isSteady(costs)) return { seconds: costs.length, isSteady: true };
  }
  return { seconds: costs.length, isSteady: false };
}

function isSteady(costs: number[]): boolean {
  const last = costs.slice(-WINDOWS);
  return last.length === WINDOWS && Math.max(...last) <= Math.min(...last) * (1 + TOLERANCE);
}
