import type { Machine } from "./machine.ts";
import { DISTURBED, type Measurement, median } from "./measure.ts";
import type { Options } from "./options.ts";
import type { Operation } from "./subject.ts";
import type { LoadResult } from "./wrk.ts";

/** One operation of one subject in one round. */
export type OperationResult = {
  round: number;
  subject: string;
  operation: Operation;
  measurement: Measurement;
};

/** Reads beside writes on a disk that takes longer for every fsync. */
export type SlowDiskResult = {
  round: number;
  subject: string;
  fsyncMs: number;
  alone: Measurement;
  beside: { writers: "1,000 a second" | "without limit"; reads: Measurement; writes: LoadResult }[];
};

/** A service on a store of some size. */
export type GrowthResult = {
  round: number;
  subject: string;
  sessions: number;
  bytesPerSession: number;
  startedInMs: number;
  /** Right after the start. */
  residentMiB: number;
  retrieve: Measurement;
};

/** All that one run found. */
export type Results = {
  started: string;
  finished: string;
  machine: Machine;
  options: Options;
  /** Of each round, `timeCache` before it. */
  cacheNs: number[];
  operations: OperationResult[];
  slowDisk: SlowDiskResult[];
  growth: GrowthResult[];
};

/** The middle of the rounds of one figure; undefined where it was not measured. */
export function middle(
  results: Results,
  subject: string,
  operation: Operation,
  figure: keyof Measurement,
): number | undefined {
  const values = results.operations
    .filter((result) => result.subject === subject && result.operation === operation)
    .map((result) => result.measurement[figure]);
  return values.length === 0 ? undefined : median(values);
}

/** What the rounds came to. */
export type Figure = {
  value: number;
  /** Whether others used the machine during the measurements that it is made of. */
  disturbed: boolean;
};

/**
 * Requests a second of the first over those of the second: round by round, then the middle. Where
 * there are undisturbed rounds, of those alone. Undefined where one of the two was not measured.
 */
export function ratio(
  results: Results,
  [subject, operation]: [string, Operation],
  [other, otherOperation]: [string, Operation],
): Figure | undefined {
  const find = (round: number, name: string, of: Operation) =>
    results.operations.find(
      (result) => result.round === round && result.subject === name && result.operation === of,
    )?.measurement;
  const rounds = [...new Set(results.operations.map((result) => result.round))];
  const ratios = rounds.flatMap((round) => {
    const above = find(round, subject, operation);
    const below = find(round, other, otherOperation);
    return above && below ? [ratioOf(above, below)] : [];
  });
  return middleFigure(ratios);
}

/** One measurement's requests a second over another's. */
export function ratioOf(above: Measurement, below: Measurement): Figure {
  const disturbed = Math.max(above.disturbed, below.disturbed) > DISTURBED;
  return { value: above.perSecond / below.perSecond, disturbed };
}

/** The middle of the undisturbed ones, or of all where every one was disturbed. */
export function middleFigure(figures: Figure[]): Figure | undefined {
  const calm = figures.filter((one) => !one.disturbed);
  const kept = calm.length > 0 ? calm : figures;
  if (kept.length === 0) return undefined;
  return { value: median(kept.map((one) => one.value)), disturbed: calm.length === 0 };
}

/** The one of these subjects that answers most. */
export function best(
  results: Results,
  operation: Operation,
  subjects: string[],
): string | undefined {
  const speed = (subject: string) => middle(results, subject, operation, "perSecond") ?? 0;
  const [first] = subjects
    .filter((name) => speed(name) > 0)
    .toSorted((a, b) => speed(b) - speed(a));
  return first;
}
