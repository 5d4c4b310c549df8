import { randomBytes } from "node:crypto";
import type { CountedRequests, Counters } from "../http/metrics.ts";
import { DURATION_BUCKETS, durationBucket, histogramOf } from "../session/histogram.ts";
import type { SentRecords } from "../session/record.ts";
import {
  entryOf,
  isIdle,
  MAX_SERVICES,
  MINUTE_MS,
  type MinuteStatistics,
  OTHER,
  ServiceNames,
  STATISTICS_MINUTES,
  type StatisticsRow,
  statusClass,
} from "../session/statistics.ts";
import type { StatisticsStore } from "../store/ports/statistics.ts";
import type { Clock, WallClock } from "./clock.ts";

/** Interval (ms) at which the current minute is stored. A process that is killed loses what it has counted since. */
const STORE_EVERY_MS = 10_000;
/** The shortest wait (ms) between two rounds. */
const MIN_WAIT_MS = 1000;
/** Time (minutes) for which an idle process stores nothing, so that a disk can sleep. */
const IDLE_MINUTES = 15;
/** Maximum number of rows that wait while the store takes no writes. Older ones are dropped. */
const MAX_WAITING = 120;

export interface StatisticsCollectorParts {
  readonly counters: () => Counters;
  readonly wallClock: WallClock;
  /** The setting `statisticsServices`. */
  readonly listed: readonly string[];
}

/**
 * Counts what happens in each minute, mostly from the counters of the metrics. A row is what has been counted since the
 * beginning of its minute, and replaces the row that was stored before.
 *
 * If the wall clock is set back to an earlier minute, the counting continues under another source, so that the rows of this
 * minute add up.
 */
export class StatisticsCollector {
  readonly #counters: () => Counters;
  readonly #wallClock: WallClock;
  #source = newSource();
  #minute: number;
  /** The counters at the beginning of the minute. */
  #baseline: Counters;
  #live: MinuteStatistics["live"] = null;
  readonly #names: ServiceNames;
  #services = new Map<string, CountedService>();
  /** By the first digit of the status; 0 for a missing one. */
  #recordStatuses = new Float64Array(10);
  /** Finished minutes that are not stored yet. */
  #waiting: StatisticsRow[] = [];
  /** Start of the minutes that were stored last. */
  #storedAt: number;

  constructor({ counters, wallClock, listed }: StatisticsCollectorParts) {
    this.#names = new ServiceNames(listed);
    this.#counters = counters;
    this.#wallClock = wallClock;
    this.#minute = minuteOf(wallClock());
    this.#storedAt = this.#minute;
    this.#baseline = counters();
  }

  /** Counts records. Called for each request that records. */
  recorded({ records, isFromVisitor }: SentRecords): void {
    for (const { service, status, durationMs } of records) {
      const counted = this.#service(this.#names.nameOf(service, isFromVisitor));
      counted.records++;
      if (durationMs !== null) raise(counted.durations, durationBucket(durationMs));
      raise(this.#recordStatuses, status === null ? 0 : Math.floor(status / 100));
    }
  }

  /** Returns the rows that may not be stored yet: finished minutes, and the current one. */
  async rows(store: StatisticsStore): Promise<readonly StatisticsRow[]> {
    const sessions = await store.countLive().catch(() => null);
    const at = this.#wallClock();
    if (minuteOf(at) !== this.#minute) this.#begin(minuteOf(at), sessions);
    if (sessions !== null) this.#live = { at, sessions };
    return [...this.#waiting, this.#current()];
  }

  /** Stores what has been counted so far, at `now` (Unix ms). With `isLast`, also if the process was idle. */
  async save(store: StatisticsStore, now: number, isLast = false): Promise<void> {
    const rows = await this.rows(store);
    const isQuiet = rows.every(({ counts }) => isIdle(JSON.parse(counts) as MinuteStatistics));
    if (isQuiet && !isLast && Math.abs(this.#minute - this.#storedAt) < IDLE_MINUTES) return;
    const keepFrom = minuteOf(this.#wallClock()) - STATISTICS_MINUTES;
    await store.storeStatistics({ rows, keepFrom, now });
    this.#storedAt = rows.at(-1)?.minute ?? this.#minute;
    const stored = new Set(rows);
    this.#waiting = this.#waiting.filter((row) => !stored.has(row));
  }

  /** Begins another minute. `sessions` are the live sessions at the end of the last one; `null` if unknown. */
  #begin(minute: number, sessions: number | null): void {
    if (sessions !== null) this.#live = { at: (this.#minute + 1) * MINUTE_MS - 1, sessions };
    this.#waiting = [...this.#waiting, this.#current()].slice(-MAX_WAITING);
    if (minute < this.#minute) this.#source = newSource();
    this.#minute = minute;
    this.#baseline = this.#counters();
    this.#live = null;
    this.#services = new Map();
    this.#recordStatuses = new Float64Array(10);
  }

  #current(): StatisticsRow {
    const { created, associated, ended, expired, refusals, operations } = this.#counters();
    const before = this.#baseline;
    const counts: MinuteStatistics = {
      created: created - before.created,
      associated: associated - before.associated,
      ended: ended - before.ended,
      expired: expired - before.expired,
      live: this.#live,
      recordStatuses: Object.fromEntries(
        Array.from(
          this.#recordStatuses,
          (count, first) => [statusClass(first === 0 ? null : 100 * first), count] as const,
        ).filter(isSome),
      ),
      services: Object.fromEntries(
        Array.from(this.#services, ([name, { records, durations }]) => [
          name,
          { records, durations: histogramOf(durations) },
        ]),
      ),
      operations: operationsSince(operations, before.operations),
      refusals: Object.fromEntries(
        Array.from(refusals, ([code, count]) => [code, count - (before.refusals.get(code) ?? 0)] as const).filter(
          isSome,
        ),
      ),
    };
    return { minute: this.#minute, source: this.#source, counts: JSON.stringify(counts) };
  }

  #service(name: string): CountedService {
    const isKnown = this.#services.has(name) || this.#services.size < MAX_SERVICES;
    return entryOf(this.#services, isKnown ? name : OTHER, () => ({
      records: 0,
      durations: new Float64Array(DURATION_BUCKETS),
    }));
  }
}

interface CountedService {
  records: number;
  /** By the number of the bucket. */
  readonly durations: Float64Array;
}

export interface StatisticsParts {
  readonly collector: StatisticsCollector;
  readonly store: StatisticsStore;
  readonly clock: Clock;
  readonly wallClock: WallClock;
}

/**
 * Starts to store what `collector` counts. Close it after the last request was answered and before the store is closed.
 * The store reports failures; the next round tries again.
 */
export function startStatistics({ collector, store, clock, wallClock }: StatisticsParts): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let storing = Promise.resolve();
  let isClosed = false;

  function later(): void {
    // The rounds are at multiples of the interval, so that one of them is at the end of each minute.
    const wait = STORE_EVERY_MS - (wallClock() % STORE_EVERY_MS);
    timer = setTimeout(round, Math.max(MIN_WAIT_MS, wait));
  }

  function round(): void {
    storing = storeAndWait();
  }

  async function storeAndWait(): Promise<void> {
    await collector.save(store, clock()).catch(() => undefined);
    if (!isClosed) later();
  }

  later();
  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await storing;
      await collector.save(store, clock(), true).catch(() => undefined);
    },
  };
}

function raise(counts: Float64Array, position: number): void {
  counts[position] = (counts[position] as number) + 1;
}

function newSource(): string {
  return randomBytes(6).toString("base64url");
}

function minuteOf(time: number): number {
  return Math.floor(time / MINUTE_MS);
}

function isSome([, count]: readonly [name: unknown, count: number]): boolean {
  return count > 0;
}

function operationsSince(
  operations: ReadonlyMap<string, CountedRequests>,
  before: ReadonlyMap<string, CountedRequests>,
): MinuteStatistics["operations"] {
  const changed = Array.from(operations, ([name, { statuses, buckets }]) => {
    const earlier = before.get(name);
    return [
      name,
      {
        statuses: countsSince(statuses, earlier?.statuses, "xx"),
        durations: histogramOf(buckets.map((count, i) => count - (earlier?.buckets[i] ?? 0))),
      },
    ] as const;
  });
  return Object.fromEntries(changed.filter(([, { durations }]) => durations.length > 0));
}

/** Returns the counts that have grown, by their positions with a suffix. */
function countsSince(counts: ArrayLike<number>, before?: readonly number[], suffix = "") {
  const grown = Array.from(counts, (count, i) => [`${i}${suffix}`, count - (before?.[i] ?? 0)] as const);
  return Object.fromEntries(grown.filter(isSome));
}
