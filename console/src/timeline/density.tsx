import type { JSX } from "preact";
import { isError, type Row, timeOf } from "./entries.ts";

/** Number of columns of the overview. */
const COLUMNS = 120;

export interface DensityProps {
  readonly rows: readonly Row[];
  /** Scrolls to a row. */
  readonly onJump: (index: number) => void;
}

/**
 * An overview of a timeline from its start to its end: how many requests, where the errors are, and where the identity
 * changes. A click scrolls there. It is hidden from screen readers; the keys and buttons of the timeline do the same.
 */
export function Density({ rows, onJump }: DensityProps): JSX.Element | null {
  const timed = rows.flatMap((row, index) =>
    row.kind === "request" || row.kind === "life" ? [{ at: timeOf(row.entry), index, row }] : [],
  );
  if (timed.length < 2) return null;
  const start = Math.min(...timed.map(({ at }) => at));
  const span = Math.max(1, Math.max(...timed.map(({ at }) => at)) - start);
  const columnOf = (at: number) => Math.min(COLUMNS - 1, Math.floor(((at - start) / span) * COLUMNS));
  const columns = Array.from({ length: COLUMNS }, () => ({ requests: 0, errors: 0, known: 0, first: -1 }));
  const marks: number[] = [];
  for (const { at, index, row } of timed) {
    const column = columns[columnOf(at)];
    if (column === undefined) continue;
    if (column.first === -1) column.first = index;
    if (row.kind === "life" && row.entry.type === "associated") marks.push(columnOf(at));
    if (row.kind !== "request") continue;
    column.requests += 1;
    if (isError(row.entry)) column.errors += 1;
    if (row.band.isRecognized) column.known += 1;
  }
  const most = Math.max(1, ...columns.map(({ requests }) => requests));
  // The root makes single requests visible beside bursts.
  const height = (count: number) => (count === 0 ? 0 : Math.max(3, Math.sqrt(count / most) * 30));
  const jump = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const wanted = Math.floor(((event.clientX - box.left) / box.width) * COLUMNS);
    const found = columns.slice(Math.max(0, wanted)).find(({ first }) => first !== -1);
    if (found) onJump(found.first);
  };
  return (
    <svg class="density" viewBox={`0 0 ${COLUMNS} 34`} preserveAspectRatio="none" aria-hidden="true" onClick={jump}>
      {columns.map(({ requests, errors, known }, at) => (
        <g key={at}>
          <rect
            class={known * 2 > requests ? "known" : "anonymous"}
            x={at + 0.12}
            width={0.76}
            y={32 - height(requests)}
            height={height(requests)}
          />
          {errors > 0 && (
            <rect class="bad" x={at + 0.12} width={0.76} y={32 - height(errors)} height={height(errors)} />
          )}
        </g>
      ))}
      {marks.map((at) => (
        <rect key={`mark ${at}`} class="mark-known" x={at} width={0.3} y={0} height={34} />
      ))}
      <rect class="axis" x={0} width={COLUMNS} y={32} height={1} />
    </svg>
  );
}
