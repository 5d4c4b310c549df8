import type { StatisticsColumn, StatisticsInfo, StatisticsPercentiles } from "@antechamber/client/protocol";
import type { Series } from "../../ui/chart.tsx";

/** Statistics in the form in which the page shows them: counts per minute. */
export interface Figures {
  /** Start of each whole step, Unix ms. */
  readonly times: readonly number[];
  /** Start of each step, also of the one that is not over. */
  readonly liveTimes: readonly number[];
  readonly live: StatisticsColumn;
  readonly sessions: Readonly<Record<"created" | "associated" | "ended" | "expired", StatisticsColumn>>;
  readonly byStatus: Readonly<Record<string, StatisticsColumn>>;
  /** The busiest first, as everywhere below. */
  readonly services: readonly Measured[];
  readonly operations: readonly Measured[];
  readonly refusals: readonly (readonly [code: string, column: StatisticsColumn])[];
}

/** A service or an operation. */
export interface Measured {
  readonly name: string;
  /** Requests per minute. */
  readonly rate: StatisticsColumn;
  /** Failed requests (status 5xx) per minute; `undefined` if unknown. */
  readonly failed: StatisticsColumn | undefined;
  readonly durations: StatisticsPercentiles | undefined;
}

/** Turns statistics into figures as of `now` (Unix ms). The step that is not over is left out: its counts are too low. */
export function figuresOf(info: StatisticsInfo, now: number): Figures {
  const liveTimes = info.times.map((time) => Date.parse(time));
  const whole = liveTimes.filter((time) => time + info.step * 1000 <= now).length;
  const cut = (column: StatisticsColumn): StatisticsColumn => column.slice(0, whole);
  const rate = (column: StatisticsColumn): StatisticsColumn =>
    cut(column).map((value) => (value === null ? null : value / (info.step / 60)));
  const measured = (name: string, column: StatisticsColumn, more: Partial<Measured>): Measured => ({
    name,
    rate: rate(column),
    failed: undefined,
    durations: undefined,
    ...more,
  });
  const cutAll = (durations: StatisticsPercentiles | undefined) =>
    durations && { p50: cut(durations.p50), p95: cut(durations.p95), p99: cut(durations.p99) };
  const { sessions, records, durations, requests, latency, refusals } = info;
  // A service may have the name of a member that every object inherits, such as "constructor".
  const durationsOf = new Map(Object.entries(durations));
  return {
    times: liveTimes.slice(0, whole),
    liveTimes,
    live: sessions.live,
    sessions: {
      created: rate(sessions.created),
      associated: rate(sessions.associated),
      ended: rate(sessions.ended),
      expired: rate(sessions.expired),
    },
    byStatus: Object.fromEntries(Object.entries(records.byStatus).map(([name, column]) => [name, rate(column)])),
    services: Object.entries(records.byService)
      .map(([name, column]) => measured(name, column, { durations: cutAll(durationsOf.get(name)) }))
      .toSorted(byRate),
    operations: Object.entries(requests)
      .map(([name, columns]) =>
        measured(name, addUp(Object.values(columns)), {
          failed: columns["5xx"] ? rate(columns["5xx"]) : undefined,
          durations: cutAll(latency[name]),
        }),
      )
      .toSorted(byRate),
    refusals: Object.entries(refusals)
      .map(([code, column]) => [code, rate(column)] as const)
      .toSorted(([, one], [, other]) => sumOf(other) - sumOf(one)),
  };
}

function byRate(one: Measured, other: Measured): number {
  return sumOf(other.rate) - sumOf(one.rate);
}

/** Adds columns up, step by step. */
export function addUp(columns: readonly StatisticsColumn[]): StatisticsColumn {
  const [first = []] = columns;
  return first.map((_, step) => {
    const values = columns.map((column) => column[step] ?? null);
    return values.every((value) => value === null) ? null : sumOf(values);
  });
}

export function sumOf(column: StatisticsColumn): number {
  return column.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

/** Returns the mean of the steps that have a value; `null` if none has. */
export function meanOf(column: StatisticsColumn): number | null {
  const given = column.filter((value) => value !== null);
  return given.length === 0 ? null : sumOf(given) / given.length;
}

/** Returns the newest value; `null` if there is none. */
export function newestOf(column: StatisticsColumn): number | null {
  return column.findLast((value) => value !== null) ?? null;
}

/** Returns the mean of a percentile over the steps, weighted by their requests. */
export function typicalOf(durations: StatisticsColumn | undefined, rate: StatisticsColumn): number | null {
  let weight = 0;
  let sum = 0;
  for (const [step, duration] of (durations ?? []).entries()) {
    const requests = rate[step] ?? 0;
    if (duration === null) continue;
    weight += requests;
    sum += duration * requests;
  }
  return weight === 0 ? null : sum / weight;
}

/** Maximum number of lines in a chart; more are hard to distinguish. */
export const MAX_LINES = 6;

/** Returns the series for a chart. If there are too many, the last one is the sum of those that do not fit. */
export function limited(series: readonly Series[], others: string): readonly Series[] {
  if (series.length <= MAX_LINES) return series;
  const rest = addUp(series.slice(MAX_LINES - 1).map(({ values }) => values));
  return [...series.slice(0, MAX_LINES - 1), { label: others, values: rest }];
}

/** Formats a number with three digits. */
export function numberText(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 10_000) return `${Number((value / 1000).toPrecision(3))} k`;
  return Number(value.toPrecision(value >= 1000 ? 4 : 3)).toLocaleString("en");
}

/** Formats a part of a whole as a percentage. */
export function percentText(share: number): string {
  if (share === 0) return "0 %";
  return share < 0.001 ? "< 0.1 %" : `${Number((share * 100).toPrecision(2))} %`;
}
