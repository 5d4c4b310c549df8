import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import uPlot from "uplot";
import { theme } from "../preferences.ts";
import { announce } from "./status.tsx";
import { absoluteTime } from "./time.tsx";

/** A line of a chart. */
export interface Series {
  readonly label: string;
  /** A value for each time; `null` where there is none. */
  readonly values: readonly (number | null)[];
  /** Which of the eight colours of charts; by default the position of the series. */
  readonly color?: number | undefined;
}

export interface ChartProps {
  /** Name of the chart. */
  readonly title: string;
  /** Start of each step, in Unix ms. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** Formats a value with its unit; by default a number with separators. */
  readonly format?: ((value: number) => string) | undefined;
  readonly kind?: "line" | "area" | "bars" | undefined;
  /** Height of the drawing in pixels. */
  readonly height?: number | undefined;
}

/** Dashes by the position of a series, so that colour is not the only difference. */
const dashes: readonly number[][] = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2], [10, 4], [4, 4], [12, 2]];

/** Maximum number of rows in the table of a chart. */
const TABLE_ROWS = 500;

/**
 * A chart over time. It has a name, a table with the same values, and can be read with the arrow keys: left and right go
 * from step to step, Home and End to the ends, and the values of the step are read.
 */
export function Chart(props: ChartProps): JSX.Element {
  const { title, times, series, format = (value: number) => value.toLocaleString("en"), height = 180 } = props;
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const isTable = useSignal(false);
  const position = useSignal(-1);
  const headingId = useId();
  const shapeKey = JSON.stringify([series.map(({ label, color }) => [label, color]), props.kind, height]);

  useEffect(() => {
    const element = holder.current;
    if (!element || isTable.value) return undefined;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(props, element, format, height, position), dataOf(times, series), element);
    };
    draw();
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.current?.setSize({ width: element.clientWidth, height });
    });
    resized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shapeKey, isTable.value, theme.value]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, series));
  }, [times, series]);

  const valuesAt = (index: number) =>
    series.map(({ label, values }) => {
      const value = values[index] ?? null;
      return { label, text: value === null ? "no value" : format(value) };
    });

  const move = (event: KeyboardEvent) => {
    const last = times.length - 1;
    const from = position.value === -1 ? last + (event.key === "ArrowLeft" ? 1 : 0) : position.value;
    const targets: Readonly<Record<string, number>> = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (target === undefined || last < 0) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(last, target));
    position.value = index;
    plot.current?.setCursor({ left: plot.current.valToPos((times[index] ?? 0) / 1000, "x"), top: 20 });
    announce(
      `${absoluteTime(times[index] ?? 0)}: ${valuesAt(index)
        .map(({ label, text }) => `${label} ${text}`)
        .join(", ")}`,
    );
  };

  const index = position.value === -1 ? times.length - 1 : Math.min(position.value, times.length - 1);
  return (
    <figure class="chart" aria-labelledby={headingId}>
      <div class="chart-header">
        <h3 id={headingId}>{title}</h3>
        <button
          type="button"
          class="quiet small"
          aria-pressed={isTable.value}
          onClick={() => {
            isTable.value = !isTable.value;
          }}
        >
          Table<span class="visually-hidden"> of {title}</span>
        </button>
      </div>
      {isTable.value ? (
        <ChartTable title={title} times={times} series={series} format={format} />
      ) : (
        <>
          <div
            ref={holder}
            class="chart-plot"
            role="slider"
            tabIndex={0}
            aria-label={`${title}, over time`}
            aria-valuemin={0}
            aria-valuemax={Math.max(0, times.length - 1)}
            aria-valuenow={Math.max(0, index)}
            aria-valuetext={index < 0 ? "no values" : absoluteTime(times[index] ?? 0)}
            onKeyDown={move}
          />
          <ul class="legend">
            {series.map(({ label, color }, at) => (
              <li key={label}>
                <svg width="22" height="8" aria-hidden="true" class={`series-${((color ?? at) % 8) + 1}`}>
                  <line x1="0" y1="4" x2="22" y2="4" stroke-dasharray={dashes[at % 8]?.join(" ")} />
                </svg>
                {label} <strong>{index < 0 ? "–" : valuesAt(index)[at]?.text.replace("no value", "–")}</strong>
              </li>
            ))}
            {index >= 0 && <li class="quiet legend-time">{absoluteTime(times[index] ?? 0)}</li>}
          </ul>
        </>
      )}
    </figure>
  );
}

function ChartTable({
  title,
  times,
  series,
  format,
}: Required<Pick<ChartProps, "title" | "times" | "series">> & {
  readonly format: (value: number) => string;
}): JSX.Element {
  const newest = times
    .map((at, index) => ({ at, index }))
    .toReversed()
    .slice(0, TABLE_ROWS);
  return (
    <section class="chart-table" tabIndex={0} aria-label={`${title}, as a table`}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ label }) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {newest.map(({ at, index }) => (
            <tr key={at}>
              <th scope="row">{absoluteTime(at)}</th>
              {series.map(({ label, values }) => {
                const value = values[index] ?? null;
                return (
                  <td key={label} class="number">
                    {value === null ? "–" : format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Returns the width (pixels) of the axis with these labels; 64 is enough for most, but not for "16 min 40 s". */
function widthOf(_plot: uPlot, labels: readonly string[] | null): number {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return Math.max(64, 16 + 7 * longest);
}

function dataOf(times: readonly number[], series: readonly Series[]): uPlot.AlignedData {
  return [times.map((time) => time / 1000), ...series.map(({ values }) => [...values])];
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const DAY_SECONDS = 24 * 60 * 60;

/** Labels the times (seconds) of an axis by the time of day, and midnights by the day. */
function timesOfAxis(_plot: uPlot, times: number[], _axis: number, _space: number, stepSeconds: number): string[] {
  return times.map((time) => {
    const date = new Date(time * 1000);
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
    return (stepSeconds >= DAY_SECONDS || isMidnight ? dayFormat : clockFormat).format(date);
  });
}

/** Returns a colour of the style sheet as the canvas can use it: without variables, and for the present colour scheme. */
function colorOf(element: HTMLElement, name: string): string {
  element.style.color = `var(--${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}

/** Returns the steps of a line at which only a dot can show the value, because those beside it have none. */
function lonelySteps(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const steps = Array.from(values.keys());
  return steps.filter((step) => values[step] != null && values[step - 1] == null && values[step + 1] == null);
}

function optionsOf(
  { series, kind = "line" }: ChartProps,
  element: HTMLElement,
  format: (value: number) => string,
  height: number,
  position: { value: number },
): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => colorOf(element, name);
  const axis: uPlot.Axis = {
    stroke: color("quiet"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 64, values: timesOfAxis },
      { ...axis, size: widthOf, values: (_plot, values) => values.map((value) => format(value)) },
    ],
    scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    hooks: {
      setCursor: [
        (plot) => {
          position.value = plot.cursor.idx ?? -1;
        },
      ],
    },
    series: [
      {},
      ...series.map(({ label, color: chosen }, at): uPlot.Series => {
        const stroke = color(`series-${((chosen ?? at) % 8) + 1}`);
        const bars = kind === "bars" ? uPlot.paths.bars?.({ size: [0.7, 40] }) : undefined;
        return {
          label,
          stroke,
          width: 2,
          dash: [...(dashes[at % 8] ?? [])],
          points: { show: false, size: 6, fill: stroke, filter: lonelySteps },
          ...(kind === "line"
            ? {}
            : { fill: `color-mix(in srgb, ${stroke} ${kind === "bars" ? 75 : 18}%, transparent)` }),
          ...(bars ? { paths: bars } : {}),
        };
      }),
    ],
  };
}
