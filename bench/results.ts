import type { Machine } from "./machine.ts";
import { DISTURBED, type Measurement, median } from "./measure.ts";
import type { Options } from "./options.ts";
import type { LimitResult } from "./redis/limit.ts";
import type { RedisResult } from "./redis/measure.ts";
import type { MemoryResult } from "./redis/memory.ts";
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

/** The kinds of requests for which recording is measured; `retrieve` records nothing. */
export type Recording = "retrieve" | "forward-auth" | "batches";

/** Recording on one runtime in one round. */
export type RecordsResult = {
  round: number;
  subject: string;
  recording: Recording;
  measurement: Measurement;
  /** Records that were on the disk, over the time until they were. */
  recordsPerSecond: number;
  /** Milliseconds from the end of the load until everything was on the disk. */
  drainMs: number;
};

/** The bytes of each record on disk after a clean stop. */
export type RecordSizeResult = {
  /** How the records came. */
  arrival: string;
  records: number;
  /** Growth of the data folder. */
  bytes: number;
  /** Of them in pages that are free for what comes next. */
  freeBytes: number;
  /** Seconds from the end of the load until every record lay with its session. */
  movedInSeconds: number;
};

/** An Express application with the middleware and without. */
export type MiddlewareResult = {
  round: number;
  middleware: boolean;
  /** At 200 requests a second. The CPU time is the application's alone. */
  paced: Measurement;
  /** As many as 64 connections can send. */
  full: Measurement;
  /** CPU seconds of the service for 100,000 requests of `full`. */
  serviceCpuPer100k: number;
  /** Requests of both that were answered without their session. */
  withoutSession: number;
  /** Records of both that the middleware dropped. */
  dropped: number;
};

/** Everything that one run measured. */
export type Results = {
  started: string;
  finished: string;
  /** The commit that was measured, with `-dirty` after it if files were changed. */
  commit: string;
  machine: Machine;
  options: Options;
  /** Of each round, `timeCache` before it. */
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

/** The median of the rounds. */
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

/** Requests a second of a way of recording over those of retrieving, as `ratio`. */
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
