import { randomInt } from "node:crypto";

/** A seeded random source: the same seed makes the same choices in the same order. */
export interface Random {
  readonly seed: number;
  /** Returns a number from 0 up to but not including 1. */
  next(): number;
  /** Returns a whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** Returns one of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T;
}

/** Returns the seed of this test run: `FAULTS_SEED`, else a new one. Tests print it, to replay failures with it. */
export function runSeed(): number {
  return Number(process.env.FAULTS_SEED ?? randomInt(2 ** 31));
}

/** Creates a random source with the mulberry32 generator, which is small and random enough for tests. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    seed,
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick: (choices) => {
      const choice = choices[Math.floor(next() * choices.length)];
      if (choice === undefined) throw new TypeError("nothing to pick from");
      return choice;
    },
  };
}
