import type { Machine } from "./machine.ts";
import { DISTURBED, type Measurement, median } from "./measure.ts";
import type { Options } from "./options.ts";
import type { LimitResult } from "./redis/limit.ts";
import type { RedisResult } from "./redis/measure.ts";
import type { MemoryResult } from "./redis/memory.ts";
import type { Operation } from "./subject.ts";
import type { LoadResult } from "./wrk.ts";

/** The result for one operation of one subject in one round. */
export type OperationResult = {
  round: number;
  subject: string;
  operation: Operation;
  measurement: Measurement;
};

/** The result of reading during writes, on a disk with a slow fsync. */
export type SlowDiskResult = {
  round: number;
  subject: string;
  fsyncMs: number;
  alone: Measurement;
  beside: { writers: "1,000 a second" | "without limit"; reads: Measurement; writes: LoadResult }[];
};

/** The result for a service on a store with a certain number of sessions. */
export type GrowthResult = {
  round: number;
  subject: string;
  sessions: number;
  bytesPerSession: number;
  startedInMs: number;
  /** Resident memory (MiB) immediately after the start. */
  residentMiB: number;
  retrieve: Measurement;
};

/** A way of recording. `retrieve` records nothing and is measured for comparison. */
export type Recording = "retrieve" | "forward-auth" | "batches";

/** The result of recording on one runtime in one round. */
export type RecordsResult = {
  round: number;
  subject: string;
  recording: Recording;
  measurement: Measurement;
  /** Records per second, measured until all records were on the disk. */
  recordsPerSecond: number;
  /** Time (ms) from the end of the load until all records were on the disk. */
  drainMs: number;
};

/** The size of records on disk after the service was stopped cleanly, in bytes per record. */
export type RecordSizeResult = {
  /** The way in which the records arrived. */
  arrival: string;
  records: number;
  /** How much the data folder grew, in bytes per record. */
  bytes: number;
  /** The part of `bytes` that is in free pages. Later records will use these pages. */
  freeBytes: number;
  /** Time (seconds) from the end of the load until every record was moved to its session. */
  movedInSeconds: number;
};

/** The result for an Express application with or without the middleware. */
export type MiddlewareResult = {
  round: number;
  middleware: boolean;
  /** The load of 200 requests per second. The CPU time is that of the application only. */
  paced: Measurement;
  /** The load with as many requests as 64 connections can send. */
  full: Measurement;
  /** CPU seconds of the service per 100,000 requests of the load `full`. */
  serviceCpuPer100k: number;
  /** Number of requests, in both loads, that continued without a session. */
  withoutSession: number;
  /** Number of records, in both loads, that the middleware dropped. */
  dropped: number;
};

/** All results of a benchmark run. */
/** How events reach readers, in one round. Latencies are from the request of the change to the reader. */
export type EventsResult = {
  round: number;
  channel: "stream" | "stream-over-redis" | "webhook" | "webhook-over-redis" | "redis-stream";
  readers: number;
  p50: number;
  p99: number;
  /** Changes per second of publishers that send without a pause. */
  publishedPerSecond: number;
  /** Events per second of all readers together, measured until the last reader had the last event. */
  deliveredPerSecond: number;
};

export type Results = {
  started: string;
  finished: string;
  /** The commit that was measured, with `-dirty` appended if files were changed. */
  commit: string;
  machine: Machine;
  options: Options;
  /** Results of `timeCache`, one before each round. */
  cacheNs: number[];
  operations: OperationResult[];
  slowDisk: SlowDiskResult[];
  records: RecordsResult[];
  recordSizes: RecordSizeResult[];
  middleware: MiddlewareResult[];
  growth: GrowthResult[];
  events: EventsResult[];
  redis: RedisResult[];
  redisLimit: LimitResult[];
  redisMemory: MemoryResult[];
};

/** Returns the median of one figure over all rounds; `undefined` if it was not measured. */
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

/** A figure over several rounds. */
export type Figure = {
  value: number;
  /** Whether other programs disturbed the measurements. */
  disturbed: boolean;
};

/**
 * Returns the ratio of the requests per second of two subjects: the median over the undisturbed rounds, or over all
 * rounds if all were disturbed. Returns `undefined` if one of the subjects was not measured.
 */
export function ratio(
  results: Results,
  [subject, operation]: [string, Operation],
  [other, otherOperation]: [string, Operation],
): Figure | undefined {
  const find = (round: number, name: string, of: Operation) =>
    results.operations.find((result) => result.round === round && result.subject === name && result.operation === of)
      ?.measurement;
  const rounds = [...new Set(results.operations.map((result) => result.round))];
  const ratios = rounds.flatMap((round) => {
    const above = find(round, subject, operation);
    const below = find(round, other, otherOperation);
    return above && below ? [ratioOf(above, below)] : [];
  });
  return middleFigure(ratios);
}

/** Returns the requests per second of a way of recording, relative to retrieving, computed as in `ratio`. */
export function recordingRatio(results: RecordsResult[], subject: string, recording: Recording): Figure | undefined {
  const own = results.filter((result) => result.subject === subject);
  const ratios = own
    .filter((result) => result.recording === recording)
    .flatMap(({ round, measurement }) => {
      const below = own.find((one) => one.round === round && one.recording === "retrieve");
      return below ? [ratioOf(measurement, below.measurement)] : [];
    });
  return middleFigure(ratios);
}

/** Returns the ratio of the requests per second of two measurements. */
export function ratioOf(above: Measurement, below: Measurement): Figure {
  const disturbed = Math.max(above.disturbed, below.disturbed) > DISTURBED;
  return { value: above.perSecond / below.perSecond, disturbed };
}

/** Returns the median of the undisturbed figures. If all figures were disturbed, returns the median of all. */
export function middleFigure(figures: Figure[]): Figure | undefined {
  const calm = figures.filter((one) => !one.disturbed);
  const kept = calm.length > 0 ? calm : figures;
  if (kept.length === 0) return undefined;
  return { value: median(kept.map((one) => one.value)), disturbed: calm.length === 0 };
}

/** Returns the subject with the most requests per second. */
export function best(results: Results, operation: Operation, subjects: string[]): string | undefined {
  const speed = (subject: string) => middle(results, subject, operation, "perSecond") ?? 0;
  const [first] = subjects.filter((name) => speed(name) > 0).toSorted((a, b) => speed(b) - speed(a));
  return first;
}
