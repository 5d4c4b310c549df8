import type { Meter } from "./meter.ts";
import type { Rate } from "./rate.ts";
import { createSharedMeter, type SharedMeter, type Shares } from "./shared-meter.ts";

/** Meters that several processes have in common. */
export interface Exchange {
  /** A meter of this name: processes that give one the same name have it in common. */
  meterOf(name: string, rate: Rate): Meter;
  /** Exchanges no more; the meters go on by themselves. */
  close(): void;
}

/** How long (ms) what one process lets through is unknown to the others, at the least. */
const EXCHANGED_EVERY = 50;

/** Exchanges what was taken until it is closed. `now` is the clock of whoever takes. */
export function startExchange(shares: Shares, now: () => number): Exchange {
  const meters: SharedMeter[] = [];
  const timer = setInterval(() => {
    for (const meter of meters) void meter.exchange(now);
  }, EXCHANGED_EVERY);
  return {
    meterOf(name, rate) {
      const meter = createSharedMeter(name, rate, shares);
      meters.push(meter);
      return meter;
    },
    close: () => clearInterval(timer),
  };
}
