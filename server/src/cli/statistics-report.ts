import type { StatisticsColumn, StatisticsInfo, StatisticsPercentiles } from "@antechamber/client/protocol";
import { terminalSafe } from "./output.ts";
import { type Characters, meanOf, sparkline } from "./sparkline.ts";

/** The form in which statistics are shown. */
export interface ReportForm {
  /** Number of characters in a line. */
  readonly width: number;
  /** The characters of charts; `null` for none. */
  readonly characters: Characters | null;
  readonly isColoured: boolean;
}

/** A line of the report: a name, numbers, and the values of its chart. */
interface Line {
  readonly name: string;
  readonly cells: readonly string[];
  readonly chart: StatisticsColumn;
}

/** Maximum number of services, operations and codes that are shown; the busiest come first. */
const MAX_LINES = 10;
/** Width of the names in characters; less on a narrow terminal. */
const NAME_WIDTH = { max: 24, min: 10 };
const CELL_WIDTH = 9;
const MIN_CHART = 8;
const MAX_CHART = 60;

/** Formats statistics for people. */
export function reportOf(info: StatisticsInfo, form: ReportForm): string {
  const { sessions, records, durations, requests, latency, refusals, step } = info;
  const perMinute = (column: StatisticsColumn) => rateText(meanOf(column), step);
  const counts = (name: string, column: StatisticsColumn): Line => ({
    name,
    cells: [perMinute(column), countText(sumOf(column))],
    chart: column,
  });
  const parts = [
    section("Sessions", ["now", "lowest", "highest"], [liveLine(sessions.live)], form),
    section(
      "",
      ["a minute", "total"],
      (["created", "associated", "ended", "expired"] as const).map((name) => counts(name, sessions[name])),
      form,
    ),
    section(
      "Recorded requests",
      ["a minute", "total", "p50", "p95", "p99"],
      busiest(records.byService).map(([name, column]) => ({
        ...counts(name, column),
        cells: [...counts(name, column).cells, ...percentilesIn(durations[name])],
      })),
      form,
    ),
    section(
      "Their statuses",
      ["a minute", "total"],
      busiest(records.byStatus).map(([name, column]) => counts(name, column)),
      form,
    ),
    section(
      "API",
      ["a minute", "errors", "p50", "p95", "p99"],
      busiest(mapped(requests, addedUp)).map(([name, column]) => ({
        name,
        cells: [perMinute(column), countText(sumOf(requests[name]?.["5xx"] ?? [])), ...percentilesIn(latency[name])],
        chart: column,
      })),
      form,
    ),
    section(
      "Refusals",
      ["a minute", "total"],
      busiest(refusals).map(([name, column]) => counts(name, column)),
      form,
    ),
  ];
  const head = `${timeOf(info.since)} to ${timeOf(info.until)} UTC, ${stepText(step)} a step`;
  return [head, ...parts.filter((part) => part !== "")].join("\n\n");
}

function liveLine(live: StatisticsColumn): Line {
  const given = live.filter((value) => value !== null);
  const cells =
    given.length === 0 ? ["-", "-", "-"] : [given.at(-1) ?? 0, Math.min(...given), Math.max(...given)].map(countText);
  return { name: "live", cells, chart: live };
}

function section(title: string, columns: readonly string[], lines: readonly Line[], form: ReportForm): string {
  if (lines.length === 0) return "";
  const { width, characters, isColoured } = form;
  const dim = (text: string) => (isColoured ? `\u001B[2m${text}\u001B[0m` : text);
  const bold = (text: string) => (isColoured ? `\u001B[1m${text}\u001B[0m` : text);
  const nameWidth = Math.max(NAME_WIDTH.min, Math.min(NAME_WIDTH.max, width - columns.length * CELL_WIDTH));
  const head = bold(title.padEnd(nameWidth)) + dim(columns.map((name) => name.padStart(CELL_WIDTH)).join(""));
  const room = width - nameWidth - columns.length * CELL_WIDTH - 2;
  const rows = lines.map(({ name, cells, chart }) => {
    const text =
      cut(terminalSafe(name), nameWidth).padEnd(nameWidth) + cells.map((cell) => cell.padStart(CELL_WIDTH)).join("");
    if (characters === null || room < MIN_CHART) return text.trimEnd();
    return `${text}  ${sparkline(chart, Math.min(room, MAX_CHART), characters)}`.trimEnd();
  });
  return [head.trimEnd(), ...rows].join("\n");
}

function cut(name: string, width: number): string {
  return name.length < width ? name : `${name.slice(0, width - 2)}~`;
}

/** Returns the columns that are shown: those with the highest sums, highest first. */
function busiest(columns: Readonly<Record<string, StatisticsColumn>>): [string, StatisticsColumn][] {
  return Object.entries(columns)
    .toSorted(([, one], [, other]) => sumOf(other) - sumOf(one))
    .slice(0, MAX_LINES);
}

function addedUp(columns: Readonly<Record<string, StatisticsColumn>>): StatisticsColumn {
  const [first = [], ...others] = Object.values(columns);
  return first.map((value, step) => {
    const values = [value, ...others.map((column) => column[step] ?? null)];
    return values.every((one) => one === null) ? null : sumOf(values);
  });
}

function mapped<From, To>(values: Readonly<Record<string, From>>, to: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}

/** Returns the median of each percentile over the steps that have one. */
function percentilesIn(percentiles: StatisticsPercentiles | undefined): string[] {
  return (["p50", "p95", "p99"] as const).map((name) => durationText(meanOf(percentiles?.[name] ?? [])));
}

function sumOf(column: StatisticsColumn): number {
  return column.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function countText(count: number): string {
  if (count < 100_000) return String(count);
  return count < 10_000_000 ? `${Math.round(count / 1000)}k` : `${Math.round(count / 1_000_000)}M`;
}

function rateText(mean: number | null, step: number): string {
  if (mean === null) return "-";
  const rate = mean / (step / 60);
  return rate >= 100 || Number.isInteger(rate) ? countText(Math.round(rate)) : rate.toPrecision(2);
}

function durationText(ms: number | null): string {
  if (ms === null) return "-";
  if (ms >= 10_000) return `${Math.round(ms / 1000)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${Number(ms.toPrecision(2))} ms`;
}

function stepText(seconds: number): string {
  const minutes = seconds / 60;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

function timeOf(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
