import { createMeter, type Meter } from "./meter.ts";
import type { Rate } from "./rate.ts";

/** What was taken from a bucket since it was last told. */
export interface Taking {
  readonly bucket: string;
  /** Milliseconds that it takes to flow out again. */
  readonly amount: number;
}

/** Where processes tell each other what callers took. */
export interface Shares {
  /**
   * Adds to each bucket what was taken from it, and gives for each how long (ms) it takes until it is
   * empty, with what all processes took. Rejects when nobody can be asked.
   */
  add(takings: readonly Taking[]): Promise<readonly number[]>;
}

/** A meter of several processes. */
export interface SharedMeter extends Meter {
  /** Tells what was taken here, and hears what was taken elsewhere. Never rejects. */
  exchange(now: () => number): Promise<void>;
}

/** What is told at a time; what is more waits for the next. */
const MAX_TOLD = 1000;
/** How many callers' takings wait while nobody can be asked. */
const MAX_UNTOLD = 50_000;

/**
 * A meter that decides at once, by what this process knows, and exchanges what was taken with the others
 * behind it: no caller waits for that. So within the time between two exchanges each process may let
 * through what it would by itself; what was too much is a debt that all wait for. While nobody can be
 * asked each holds to the rate by itself.
 */
export function createSharedMeter(name: string, rate: Rate, shares: Shares): SharedMeter {
  const meter = createMeter(rate);
  const drop = rate.period / rate.count;
  const untold = new Map<string, number>();
  let isTelling = false;

  function note(subject: string, count: number): void {
    const before = untold.get(subject);
    if (before !== undefined || untold.size < MAX_UNTOLD)
      untold.set(subject, (before ?? 0) + count);
  }

  async function tell(told: readonly [string, number][], now: () => number): Promise<void> {
    const takings = told.map(([subject, count]) => ({
      bucket: `${name}:${subject}`,
      amount: count * drop,
    }));
    try {
      const rests = await shares.add(takings);
      const at = now();
      for (const [i, [subject]] of told.entries()) {
        const since = (untold.get(subject) ?? 0) * drop;
        meter.learn(subject, at + (rests[i] as number) + since, at);
      }
    } catch {
      for (const [subject, count] of told) note(subject, count);
    }
  }

  return {
    ...meter,
    take(subject, now) {
      const wait = meter.take(subject, now);
      if (wait === 0) note(subject, 1);
      return wait;
    },
    async exchange(now) {
      if (isTelling || untold.size === 0) return;
      isTelling = true;
      const told = [...untold].slice(0, MAX_TOLD);
      for (const [subject] of told) untold.delete(subject);
      await tell(told, now);
      isTelling = false;
    },
  };
}
