import type { Machine } from "./machine.ts";
import { DISTURBED, type Measurement, median } from "./measure.ts";
import type { Options } from "./options.ts";
import type { LimitResult } from "./redis/limit.ts";
import type { RedisResult } from "./redis/measure.ts";
import type { MemoryResult } from "./redis/memory.ts";
import type { Operation } from "./subject.ts";
import type { LoadResult } from "./wrk.ts";

/** The measurement of one operation of one subject in one round. */
export type OperationResult = {
  round: number;
  subject: string;
  operation: Operation;
  measurement: Measurement;
};

/** Reads during writes on a disk with a slow fsync. */
export type SlowDiskResult = {
  round: number;
  subject: string;
  fsyncMs: number;
  alone: Measurement;
  beside: { writers: "1,000 a second" | "without limit"; reads: Measurement; writes: LoadResult }[];
};

/** A service on a store of a certain size. */
export type GrowthResult = {
  round: number;
  subject: string;
  sessions: number;
  bytesPerSession: number;
  startedInMs: number;
  /** Immediately after the start. */
  residentMiB: number;
  retrieve: Measurement;
};

/** A way of recording; `retrieve` records nothing, for comparison. */
export type Recording = "retrieve" | "forward-auth" | "batches";

/** Recording on one runtime in one round. */
export type RecordsResult = {
  round: number;
  subject: string;
  recording: Recording;
  measurement: Measurement;
  /** Records per second, until all of them were on the disk. */
  recordsPerSecond: number;
  /** Milliseconds from the end of the load until all records were on the disk. */
  drainMs: number;
};

/** The size of records on disk after a clean stop, in bytes per record. */
export type RecordSizeResult = {
  /** The way of recording. */
  arrival: string;
  records: number;
  /** The growth of the data folder. */
  bytes: number;
  /** The part of it in free pages, which later records will use. */
  freeBytes: number;
  /** Seconds from the end of the load until every record was moved to its session. */
  movedInSeconds: number;
};

/** An Express application with or without the middleware. */
export type MiddlewareResult = {
  round: number;
  middleware: boolean;
  /** At 200 requests per second. The CPU time is that of the application only. */
  paced: Measurement;
  /** With as many requests as 64 connections can send. */
  full: Measurement;
  /** CPU seconds of the service for 100,000 requests of `full`. */
  serviceCpuPer100k: number;
  /** Requests of both loads that continued without their session. */
  withoutSession: number;
  /** Records of both loads that the middleware dropped. */
  dropped: number;
};

/** The results of a run. */
export type Results = {
  started: string;
  finished: string;
  /** The commit that was measured, with `-dirty` after it if files were changed. */
  commit: string;
  machine: Machine;
  options: Options;
  /** The result of `timeCache` before each round. */
  cacheNs: number[];
  operations: OperationResult[];
  slowDisk: SlowDiskResult[];
  records: RecordsResult[];
  recordSizes: RecordSizeResult[];
  middleware: MiddlewareResult[];
  growth: GrowthResult[];
  redis: RedisResult[];
  redisLimit: LimitResult[];
  redisMemory: MemoryResult[];
};

/** Returns the median of one figure over the rounds; `undefined` if it was not measured. */
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

/** The result of several rounds. */
export type Figure = {
  value: number;
  /** Whether other programs used the machine during these measurements. */
  disturbed: boolean;
};

/**
 * Returns the ratio of requests per second of two subjects: the median of the ratios of each round. If there are
 * undisturbed rounds, only these count. `undefined` if one of the two was not measured.
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

/** Returns the ratio of requests per second of a way of recording to retrieving, like `ratio`. */
export function recordingRatio(
  results: RecordsResult[],
  subject: string,
  recording: Recording,
): Figure | undefined {
  const own = results.filter((result) => result.subject === subject);
  const ratios = own
    .filter((result) => result.recording === recording)
    .flatMap(({ round, measurement }) => {
      const below = own.find((one) => one.round === round && one.recording === "retrieve");
      return below ? [ratioOf(measurement, below.measurement)] : [];
    });
  return middleFigure(ratios);
}

/** Returns the ratio of requests per second of two measurements. */
export function ratioOf(above: Measurement, below: Measurement): Figure {
  const disturbed = Math.max(above.disturbed, below.disturbed) > DISTURBED;
  return { value: above.perSecond / below.perSecond, disturbed };
}

/** Returns the median of the undisturbed measurements, or of all if every one was disturbed. */
export function middleFigure(figures: Figure[]): Figure | undefined {
  const calm = figures.filter((one) => !one.disturbed);
  const kept = calm.length > 0 ? calm : figures;
  if (kept.length === 0) return undefined;
  return { value: median(kept.map((one) => one.value)), disturbed: calm.length === 0 };
}

/** Returns the fastest of these subjects. */
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
