import type { ComponentChildren, JSX } from "preact";
import { formatDuration } from "../../ui/time.tsx";
import { type Measured, meanOf, numberText, percentText, sumOf, typicalOf } from "./figures.ts";
import { Sparkline } from "./sparkline.tsx";

/** Maximum number of rows; the busiest come first. */
const MAX_ROWS = 12;

/** A column after the name. */
interface NumberColumn {
  readonly title: string;
  readonly cell: (row: Measured) => ComponentChildren;
  /** Whether small screens leave the column out. */
  readonly isExtra?: boolean | undefined;
}

const duration = (percentile: "p50" | "p95" | "p99"): NumberColumn => ({
  title: percentile,
  isExtra: percentile !== "p95",
  cell: ({ durations, rate: weights }) => {
    const typical = typicalOf(durations?.[percentile], weights);
    return typical === null ? <span class="quiet">–</span> : formatDuration(typical);
  },
});

const rate: NumberColumn = {
  title: "a minute",
  cell: ({ rate: column }) => numberText(meanOf(column) ?? 0),
};

const failures: NumberColumn = {
  title: "5xx",
  cell({ failed = [], rate: all }) {
    const share = sumOf(all) === 0 ? 0 : sumOf(failed) / sumOf(all);
    return share === 0 ? (
      <span class="quiet">0</span>
    ) : (
      <strong class={share < 0.001 ? "" : "bad-text"}>{percentText(share)}</strong>
    );
  },
};

export interface MeasuredTableProps {
  readonly caption: string;
  /** Title of the first column. */
  readonly what: string;
  readonly rows: readonly Measured[];
  readonly hasFailures?: boolean | undefined;
  /** Which of the eight colours of charts the lines have. */
  readonly color: number;
}

/** A table of services or operations: how much they do, how long it takes, and how it went. */
export function MeasuredTable({ caption, what, rows, hasFailures, color }: MeasuredTableProps): JSX.Element {
  const columns = [rate, ...(hasFailures ? [failures] : []), duration("p50"), duration("p95"), duration("p99")];
  const used = rows.filter(({ rate: column }) => sumOf(column) > 0);
  const shown = used.slice(0, MAX_ROWS);
  return (
    <div class="measured">
      <table class="table">
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{what}</th>
            {columns.map(({ title, isExtra }) => (
              <th key={title} scope="col" class={isExtra ? "number extra" : "number"}>
                {title}
              </th>
            ))}
            <th scope="col" class="extra">
              trend
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row.name}>
              <th scope="row">
                <bdi class="id">{row.name}</bdi>
              </th>
              {columns.map(({ title, cell, isExtra }) => (
                <td key={title} class={isExtra ? "number extra" : "number"}>
                  {cell(row)}
                </td>
              ))}
              <td class="extra">
                <Sparkline values={row.rate} color={color} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {used.length > MAX_ROWS && <p class="quiet">and {used.length - MAX_ROWS} more</p>}
    </div>
  );
}
