import { MINUTE_MS, STATISTICS_MINUTES } from "./statistics.ts";

/** The steps of statistics. */
export interface StatisticsRange {
  /** The start of the first step, Unix ms: a multiple of the length of a step. */
  readonly since: number;
  /** The end of the last step, Unix ms. */
  readonly until: number;
  /** Length of a step in minutes. */
  readonly stepMinutes: number;
}

/** The range that a caller asks for; `undefined` stands for a missing value. */
export interface RangeRequest {
  /** Unix ms. */
  readonly since?: number | undefined;
  /** Unix ms. */
  readonly until?: number | undefined;
  /** Seconds. */
  readonly step?: number | undefined;
}

/** A fault in a request for a range. */
export interface RangeFault {
  readonly name: "since" | "until" | "step";
  readonly detail: string;
}

/** Maximum number of steps. */
const MAX_STEPS = 2000;
/** The default length (ms) of a range. */
const DEFAULT_MS = 60 * MINUTE_MS;
/** The longest range, with an hour to spare, because a caller asks a moment later than it has calculated `since`. */
const LONGEST_MS = (STATISTICS_MINUTES + 60) * MINUTE_MS;

/**
 * Returns the range that a request means at `now` (Unix ms), or its faults. By default it is the last hour. A step is by
 * default a minute, and longer in a range that would have more than `MAX_STEPS` of them. A range begins and ends with whole
 * steps, so a request that is repeated a moment later gets the same steps.
 */
export function rangeOf(request: RangeRequest, now: number): StatisticsRange | readonly RangeFault[] {
  // The current step belongs to the range, even at its first moment.
  const until = request.until ?? now + 1;
  const since = request.since ?? until - DEFAULT_MS;
  const stepMs = request.step === undefined ? fittingStep(until - since) : request.step * 1000;
  if (!Number.isSafeInteger(stepMs) || stepMs < MINUTE_MS || stepMs % MINUTE_MS !== 0 || stepMs > LONGEST_MS) {
    return [
      {
        name: "step",
        detail: "step must be a number of seconds that is a multiple of 60, such as 300, up to 14 days.",
      },
    ];
  }
  if (since < 0) return [{ name: "since", detail: "since is before 1970." }];
  if (since >= until) {
    const isDefault = request.since !== undefined && request.until === undefined;
    return [{ name: "since", detail: isDefault ? "since is in the future." : "since is not before until." }];
  }
  if (until - since > LONGEST_MS) {
    return [
      {
        name: "since",
        detail:
          "The range is longer than 14 days, for which statistics are kept: choose a later since, or an earlier until.",
      },
    ];
  }
  const first = Math.floor(since / stepMs);
  const end = Math.ceil(until / stepMs);
  if (end - first > MAX_STEPS) {
    const least = fittingStep(until - since) / 1000;
    const detail = `The range has more than ${MAX_STEPS} steps: give a step of at least ${least} seconds, or a shorter range.`;
    return [{ name: "step", detail }];
  }
  return { since: first * stepMs, until: end * stepMs, stepMinutes: stepMs / MINUTE_MS };
}

/** Steps (minutes) that are easy to read. */
const roundSteps = [1, 2, 5, 10, 15, 30];

/** Returns the shortest of the usual steps (ms) with which a range of this length (ms) has no more than `MAX_STEPS`. */
function fittingStep(length: number): number {
  // A range that does not begin with a whole step touches one more.
  const least = length / MINUTE_MS / (MAX_STEPS - 1);
  return (roundSteps.find((minutes) => minutes >= least) ?? 60) * MINUTE_MS;
}
