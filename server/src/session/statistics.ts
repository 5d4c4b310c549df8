import { addHistogram, DURATION_BUCKETS, type Histogram, histogramOf } from "./histogram.ts";

/** Length of a minute in ms. Minutes of statistics are those of UTC, numbered from 1970. */
export const MINUTE_MS = 60_000;
/** Number of minutes for which statistics are kept: 14 days (contract.md#statistics). */
export const STATISTICS_MINUTES = 14 * 24 * 60;
/** Maximum number of services that are counted by name. */
export const MAX_SERVICES = 50;
/** Maximum length of the name of a service in statistics. A longer name is cut. */
const MAX_NAME = 128;
/** The name of all services that are not counted by their own: those beyond `MAX_SERVICES`, and see `ServiceNames`. */
export const OTHER = "other";
/** The name for records without a service, and for those without a status. */
const NONE = "none";

/** Numbers by name. Callers choose the names of services, so any name may occur, even `__proto__`. */
export type Counts = Readonly<Record<string, number>>;

/** Counts of a minute, or sums of several minutes. They contain no ids. */
export interface MinuteStatistics {
  readonly created: number;
  readonly associated: number;
  readonly ended: number;
  readonly expired: number;
  /** The stored sessions that were live at a time (Unix ms) of the minute; `null` if unknown. */
  readonly live: { readonly at: number; readonly sessions: number } | null;
  /** Recorded requests by class of status, such as `2xx`. */
  readonly recordStatuses: Counts;
  /** Recorded requests by service, and the histogram of their durations (`durationBounds`). */
  readonly services: Readonly<Record<string, { readonly records: number; readonly durations: Histogram }>>;
  /** Requests to the API by operation: by class of status, and the histogram of their durations. */
  readonly operations: Readonly<Record<string, { readonly statuses: Counts; readonly durations: Histogram }>>;
  /** Refused requests by code. */
  readonly refusals: Counts;
}

/** Statistics of a minute, as a process has counted them. */
export interface StatisticsRow {
  /** Number of the minute since 1970. */
  readonly minute: number;
  /** Name of the process that has counted. */
  readonly source: string;
  /** A `MinuteStatistics` as JSON. */
  readonly counts: string;
}

/** Returns the class of a status, such as `2xx`; `none` for a missing one. */
export function statusClass(status: number | null): string {
  return status === null ? NONE : `${Math.floor(status / 100)}xx`;
}

/**
 * Chooses the names by which services are counted. Visitors can send records with any name, and would leave none of the
 * `MAX_SERVICES` names to the services. So their records count under a name only if a server has used it before, or if
 * the operator lists the names: then no others are counted.
 */
export class ServiceNames {
  readonly #listed: ReadonlySet<string>;
  /** Names that servers have used, at most `MAX_SERVICES`. */
  readonly #known = new Set<string>();

  /** `listed`: the setting `statisticsServices`. */
  constructor(listed: readonly string[]) {
    this.#listed = new Set(listed);
  }

  nameOf(service: string | null, isFromVisitor: boolean): string {
    if (service === null || service === "") return NONE;
    if (this.#listed.size > 0 && !this.#listed.has(service)) return OTHER;
    const name = service.length <= MAX_NAME ? service : service.slice(0, MAX_NAME).toWellFormed();
    if (this.#listed.size > 0) return name;
    if (isFromVisitor) return this.#known.has(name) ? name : OTHER;
    if (this.#known.size < MAX_SERVICES) this.#known.add(name);
    return name;
  }
}

/** Adds up statistics. */
export class StatisticsSum {
  created = 0;
  associated = 0;
  ended = 0;
  expired = 0;
  live: MinuteStatistics["live"] = null;
  readonly recordStatuses = new Map<string, number>();
  readonly services = new Map<string, { records: number; durations: Float64Array }>();
  readonly operations = new Map<string, { statuses: Map<string, number>; durations: Float64Array }>();
  readonly refusals = new Map<string, number>();

  add(counts: MinuteStatistics): void {
    this.created += counts.created;
    this.associated += counts.associated;
    this.ended += counts.ended;
    this.expired += counts.expired;
    if (counts.live !== null && counts.live.at >= (this.live?.at ?? 0)) this.live = counts.live;
    addCounts(this.recordStatuses, counts.recordStatuses);
    addCounts(this.refusals, counts.refusals);
    for (const [name, { records, durations }] of Object.entries(counts.services)) {
      const service = this.#service(name);
      service.records += records;
      addHistogram(service.durations, durations);
    }
    for (const [name, { statuses, durations }] of Object.entries(counts.operations)) {
      const operation = entryOf(this.operations, name, () => ({
        statuses: new Map<string, number>(),
        durations: new Float64Array(DURATION_BUCKETS),
      }));
      addCounts(operation.statuses, statuses);
      addHistogram(operation.durations, durations);
    }
  }

  /** Returns the sum as statistics of a minute. */
  toStatistics(): MinuteStatistics {
    const { created, associated, ended, expired, live } = this;
    return {
      ...{ created, associated, ended, expired, live },
      recordStatuses: Object.fromEntries(this.recordStatuses),
      services: mapped(this.services, ({ records, durations }) => ({
        records,
        durations: histogramOf(durations),
      })),
      operations: mapped(this.operations, ({ statuses, durations }) => ({
        statuses: Object.fromEntries(statuses),
        durations: histogramOf(durations),
      })),
      refusals: Object.fromEntries(this.refusals),
    };
  }

  #service(name: string) {
    const isKnown = this.services.has(name) || this.services.size < MAX_SERVICES;
    return entryOf(this.services, isKnown ? name : OTHER, () => ({
      records: 0,
      durations: new Float64Array(DURATION_BUCKETS),
    }));
  }
}

/** Returns whether nothing was counted. */
export function isIdle({
  created,
  associated,
  ended,
  expired,
  recordStatuses,
  operations,
  refusals,
}: MinuteStatistics): boolean {
  const isEmpty = (counts: object) => Object.keys(counts).length === 0;
  return created + associated + ended + expired === 0 && [recordStatuses, operations, refusals].every(isEmpty);
}

/** Returns the value of a key, which `make` creates if there is none. */
export function entryOf<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function addCounts(sums: Map<string, number>, counts: Counts): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
}

function mapped<From, To>(map: ReadonlyMap<string, From>, to: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Array.from(map, ([name, value]) => [name, to(value)]));
}
