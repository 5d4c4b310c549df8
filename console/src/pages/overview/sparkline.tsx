import type { JSX } from "preact";

const WIDTH = 120;
const HEIGHT = 28;

export interface SparklineProps {
  readonly values: readonly (number | null)[];
  /** Which of the eight colours of charts. */
  readonly color?: number | undefined;
}

/** A small chart beside a number. It is hidden from screen readers, which read the number. */
export function Sparkline({ values, color = 1 }: SparklineProps): JSX.Element {
  const highest = Math.max(0, ...values.filter((value) => value !== null));
  const x = (step: number) => (values.length < 2 ? 0 : (step / (values.length - 1)) * WIDTH);
  const y = (value: number) => HEIGHT - 2 - (highest === 0 ? 0 : (value / highest) * (HEIGHT - 5));
  const parts: string[] = [];
  let isDown = false;
  for (const [step, value] of values.entries()) {
    if (value !== null) parts.push(`${isDown ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`);
    isDown = value !== null;
  }
  // A gap would make the area wrong.
  const area = values.length > 1 && !values.includes(null) ? `${parts.join("")}V${HEIGHT}H0Z` : "";
  return (
    <svg
      class={`sparkline series-${color}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {area !== "" && <path class="sparkline-area" d={area} />}
      <path d={parts.join("")} />
    </svg>
  );
}
