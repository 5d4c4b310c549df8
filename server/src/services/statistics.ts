import type { WallClock } from "../runtime/clock.ts";
import {
  addHistogram,
  DURATION_BUCKETS,
  durationBounds,
  histogramOf,
  latencyBounds,
  type Percentile,
  percentiles,
  quantileOf,
} from "../session/histogram.ts";
import {
  entryOf,
  MAX_SERVICES,
  MINUTE_MS,
  type MinuteStatistics,
  OTHER,
  STATISTICS_MINUTES,
  type StatisticsRow,
  StatisticsSum,
} from "../session/statistics.ts";
import { type RangeFault, type RangeRequest, rangeOf, type StatisticsRange } from "../session/statistics-range.ts";
import type { StatisticsStore } from "../store/ports/statistics.ts";
import { Turns } from "./await-events.ts";

/** A value for each step; `null` for a step without one. */
export type Column = readonly (number | null)[];
type Columns = Readonly<Record<string, Column>>;
type Quantiles = Readonly<Record<Percentile, Column>>;

/** Statistics by step. A count is `null` for a step in which no process ran. */
export interface StatisticsColumns {
  readonly sessions: Readonly<Record<"created" | "associated" | "ended" | "expired" | "live", Column>>;
  readonly records: { readonly byService: Columns; readonly byStatus: Columns };
  /** In ms, by service. */
  readonly durations: Readonly<Record<string, Quantiles>>;
  readonly requests: Readonly<Record<string, Columns>>;
  /** In ms, by operation. */
  readonly latency: Readonly<Record<string, Quantiles>>;
  readonly refusals: Columns;
}

/** Statistics of a range. */
export interface StatisticsResult {
  readonly range: StatisticsRange;
  readonly columns: StatisticsColumns;
}

/** Number of minutes that are read at a time, so that a long range does not hold other requests up. */
const MINUTES_PER_READ = 30;
const HOUR_MINUTES = 60;
/** Age (minutes) at which an hour is complete: no more rows of it are expected. */
const SETTLED_MINUTES = 180;
/** Maximum number of hours whose sums are remembered: those of the longest range. */
const MAX_HOURS = STATISTICS_MINUTES / HOUR_MINUTES + 2;

const latencyBoundsMs = latencyBounds.map((seconds) => seconds * 1000);

/** Counts of the minutes that begin with this one. */
interface Part {
  readonly minute: number;
  readonly counts: MinuteStatistics;
}

/** Reads statistics (contract.md#statistics). */
export class Statistics {
  /** Returns rows of this process, some of which are not stored yet. Each replaces the stored one. */
  unsaved: () => Promise<readonly StatisticsRow[]> = async () => [];
  readonly #store: StatisticsStore;
  readonly #wallClock: WallClock;
  readonly #turns = new Turns();
  /** The sums of past hours, by their first minute; of an hour without rows, `null`. Long ranges need them repeatedly. */
  readonly #hours = new Map<number, MinuteStatistics | null>();

  constructor({ store, wallClock }: { readonly store: StatisticsStore; readonly wallClock: WallClock }) {
    this.#store = store;
    this.#wallClock = wallClock;
  }

  /** Returns the statistics of a range, or the faults of the request. */
  async read(request: RangeRequest): Promise<StatisticsResult | { readonly faults: readonly RangeFault[] }> {
    const range = rangeOf(request, this.#wallClock());
    return "since" in range ? { range, columns: await this.#columnsOf(range) } : { faults: range };
  }

  async #columnsOf({ since, until, stepMinutes }: StatisticsRange): Promise<StatisticsColumns> {
    const first = since / MINUTE_MS;
    const end = until / MINUTE_MS;
    const columns = new ColumnsBuilder((end - first) / stepMinutes);
    let step = 0;
    let sum: StatisticsSum | undefined;
    for await (const { minute, counts } of this.#parts(first, end, stepMinutes)) {
      const stepOfPart = Math.floor((minute - first) / stepMinutes);
      if (sum !== undefined && stepOfPart !== step) {
        columns.add(step, sum);
        sum = undefined;
      }
      step = stepOfPart;
      sum ??= new StatisticsSum();
      sum.add(counts);
    }
    if (sum !== undefined) columns.add(step, sum);
    return columns.build();
  }

  /** Yields the counts from `first` to before `end`, in order: by row, or by hour if the steps consist of hours. */
  async *#parts(first: number, end: number, stepMinutes: number): AsyncGenerator<Part, void> {
    const unsaved = await this.unsaved();
    const hasHours = stepMinutes % HOUR_MINUTES === 0;
    const length = hasHours ? HOUR_MINUTES : MINUTES_PER_READ;
    for (let from = first; from < end; from += length) {
      if (hasHours) {
        const counts = await this.#hourAt(from, unsaved);
        if (counts !== null) yield { minute: from, counts };
      } else {
        const to = Math.min(end, from + length);
        yield* await this.#turns.run(() => this.#readParts(from, to, unsaved));
      }
    }
  }

  /** Returns the sum of the hour that begins with the minute `from`; `null` if there are no rows of it. */
  async #hourAt(from: number, unsaved: readonly StatisticsRow[]): Promise<MinuteStatistics | null> {
    const known = this.#hours.get(from);
    if (known !== undefined) return known;
    const parts = await this.#turns.run(() => this.#readParts(from, from + HOUR_MINUTES, unsaved));
    const sum = new StatisticsSum();
    for (const { counts } of parts) sum.add(counts);
    const counts = parts.length === 0 ? null : sum.toStatistics();
    if (from + HOUR_MINUTES + SETTLED_MINUTES < this.#wallClock() / MINUTE_MS) {
      this.#hours.set(from, counts);
      const [oldest] = this.#hours.keys();
      if (this.#hours.size > MAX_HOURS && oldest !== undefined) this.#hours.delete(oldest);
    }
    return counts;
  }

  async #readParts(from: number, to: number, unsaved: readonly StatisticsRow[]): Promise<Part[]> {
    const own = unsaved.filter(({ minute }) => minute >= from && minute < to);
    const replaced = new Set(own.map(keyOf));
    const stored = await this.#store.readStatistics(from, to);
    const rows = [...stored.filter((row) => !replaced.has(keyOf(row))), ...own];
    return rows
      .map(({ minute, counts }) => ({ minute, counts: JSON.parse(counts) as MinuteStatistics }))
      .toSorted((a, b) => a.minute - b.minute);
  }
}

function keyOf({ minute, source }: StatisticsRow): string {
  return `${minute} ${source}`;
}

type Values = (number | null)[];

/** Builds the columns, step by step. */
class ColumnsBuilder {
  readonly #steps: number;
  /** Whether any process ran in a step. */
  readonly #hasRun: boolean[];
  readonly #sessions = new Map<string, Values>();
  readonly #byService = new Map<string, Values>();
  readonly #byStatus = new Map<string, Values>();
  readonly #durations = new Map<string, Map<string, Values>>();
  readonly #requests = new Map<string, Map<string, Values>>();
  readonly #latency = new Map<string, Map<string, Values>>();
  readonly #refusals = new Map<string, Values>();

  constructor(steps: number) {
    this.#steps = steps;
    this.#hasRun = Array.from({ length: steps }, () => false);
  }

  add(step: number, sum: StatisticsSum): void {
    this.#hasRun[step] = true;
    for (const name of ["created", "associated", "ended", "expired"] as const) {
      this.#set(this.#sessions, name, step, sum[name]);
    }
    if (sum.live !== null) this.#set(this.#sessions, "live", step, sum.live.sessions);
    for (const [status, count] of sum.recordStatuses) this.#set(this.#byStatus, status, step, count);
    for (const [code, count] of sum.refusals) this.#set(this.#refusals, code, step, count);
    for (const [name, { records, durations }] of this.#limited(sum.services)) {
      this.#set(this.#byService, name, step, records);
      this.#setQuantiles(this.#durations, name, step, durations, durationBounds);
    }
    for (const [name, { statuses, durations }] of sum.operations) {
      const requests = entryOf(this.#requests, name, () => new Map<string, Values>());
      for (const [status, count] of statuses) this.#set(requests, status, step, count);
      this.#setQuantiles(this.#latency, name, step, durations, latencyBoundsMs);
    }
  }

  build(): StatisticsColumns {
    const counts = (columns: ReadonlyMap<string, Values>) => mapped(columns, (values) => this.#counts(values));
    const none = Array.from<null>({ length: this.#steps }).fill(null);
    const { live = none } = Object.fromEntries(this.#sessions);
    const ofSessions = (name: string) => this.#counts(this.#sessions.get(name) ?? none);
    return {
      sessions: {
        created: ofSessions("created"),
        associated: ofSessions("associated"),
        ended: ofSessions("ended"),
        expired: ofSessions("expired"),
        live,
      },
      records: { byService: counts(this.#byService), byStatus: counts(this.#byStatus) },
      durations: mapped(this.#durations, quantilesOf),
      requests: mapped(this.#requests, counts),
      latency: mapped(this.#latency, quantilesOf),
      refusals: counts(this.#refusals),
    };
  }

  /** Returns a column of counts: 0 where nothing was counted although a process ran. */
  #counts(values: Values): Column {
    return values.map((value, step) => value ?? (this.#hasRun[step] === true ? 0 : null));
  }

  /** Adds up the services beyond `MAX_SERVICES` of the whole range. */
  #limited(services: StatisticsSum["services"]): StatisticsSum["services"] {
    const known = this.#byService;
    const fits = known.size + services.size <= MAX_SERVICES;
    if (fits) return services;
    const limited: StatisticsSum["services"] = new Map();
    let added = 0;
    for (const [name, { records, durations }] of services) {
      const isKnown = known.has(name) || name === OTHER || known.size + added < MAX_SERVICES;
      if (isKnown && !known.has(name) && name !== OTHER) added++;
      const target = entryOf(limited, isKnown ? name : OTHER, () => ({
        records: 0,
        durations: new Float64Array(DURATION_BUCKETS),
      }));
      target.records += records;
      addHistogram(target.durations, histogramOf(durations));
    }
    return limited;
  }

  #set(columns: Map<string, Values>, name: string, step: number, value: number | null): void {
    const values = entryOf(columns, name, () => Array.from<number | null>({ length: this.#steps }).fill(null));
    values[step] = value;
  }

  #setQuantiles(
    columns: Map<string, Map<string, Values>>,
    name: string,
    step: number,
    durations: Float64Array,
    bounds: readonly number[],
  ): void {
    if (durations.every((count) => count === 0)) return;
    const own = entryOf(columns, name, () => new Map<string, Values>());
    for (const [percentile, quantile] of Object.entries(percentiles)) {
      this.#set(own, percentile, step, quantileOf(durations, bounds, quantile));
    }
  }
}

function quantilesOf(columns: ReadonlyMap<string, Values>): Quantiles {
  return Object.fromEntries(columns) as Record<Percentile, Values>;
}

function mapped<From, To>(map: ReadonlyMap<string, From>, to: (value: From) => To): Record<string, To> {
  const names = [...map.keys()].toSorted();
  return Object.fromEntries(names.map((name) => [name, to(map.get(name) as From)]));
}
