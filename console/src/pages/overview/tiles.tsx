import type { ComponentChildren, JSX } from "preact";
import { formatDuration } from "../../ui/time.tsx";
import { addUp, type Figures, meanOf, newestOf, numberText, percentText, sumOf, typicalOf } from "./figures.ts";
import { Sparkline } from "./sparkline.tsx";

interface TileProps {
  readonly title: string;
  readonly value: string;
  readonly unit?: string | undefined;
  readonly note: ComponentChildren;
  readonly values: readonly (number | null)[];
  readonly color?: number | undefined;
  readonly isBad?: boolean | undefined;
}

function Tile({ title, value, unit, note, values, color, isBad = false }: TileProps): JSX.Element {
  return (
    <li class={isBad ? "tile bad" : "tile"}>
      <h2>{title}</h2>
      <p class="tile-value">
        {value}
        {unit && <span> {unit}</span>}
      </p>
      <p class="tile-note">{note}</p>
      <Sparkline values={values} color={isBad ? 8 : color} />
    </li>
  );
}

const none = "–";

/** The numbers that show at a glance whether the service works well. */
export function Tiles({ figures }: { readonly figures: Figures }): JSX.Element {
  const { live, sessions, byStatus, operations, refusals } = figures;
  const records = addUp(Object.values(byStatus));
  const failed = byStatus["5xx"] ?? [];
  const share = sumOf(records) === 0 ? 0 : sumOf(failed) / sumOf(records);
  const requests = addUp(operations.map(({ rate }) => rate));
  const [busiest] = operations.filter(({ durations }) => durations !== undefined);
  const latency = typicalOf(busiest?.durations?.p99, busiest?.rate ?? []);
  const refused = addUp(refusals.map(([, column]) => column));
  const unavailable = sumOf(refusals.find(([code]) => code === "unavailable")?.[1] ?? []);
  return (
    <ul class="tiles" aria-label="At a glance">
      <Tile title="Live sessions" value={textOf(newestOf(live))} note={extremesOf(live)} values={live} />
      <Tile
        title="Sessions created"
        value={textOf(meanOf(sessions.created))}
        unit="/ min"
        note={`${textOf(meanOf(sessions.associated))} associated`}
        values={sessions.created}
        color={2}
      />
      <Tile
        title="Recorded requests"
        value={textOf(meanOf(records))}
        unit="/ min"
        note={`${percentText(share)} with status 5xx`}
        values={records}
        color={4}
        isBad={share > 0.01}
      />
      <Tile
        title="Requests to the API"
        value={textOf(meanOf(requests))}
        unit="/ min"
        note={busiest ? `${busiest.name} p99 ${latency === null ? none : formatDuration(latency)}` : "No requests"}
        values={requests}
        color={7}
      />
      <Tile
        title="Refusals"
        value={textOf(meanOf(refused) ?? meanOf(sessions.created.map((value) => value && 0)))}
        unit="/ min"
        note={unavailable > 0 ? "the store was unavailable" : (refusals[0]?.[0] ?? "Nothing was refused")}
        values={refused}
        color={3}
        isBad={unavailable > 0}
      />
    </ul>
  );
}

function extremesOf(live: readonly (number | null)[]): string {
  const given = live.filter((value) => value !== null);
  if (given.length === 0) return "unknown with this store";
  const [lowest, highest] = [Math.min(...given), Math.max(...given)];
  return lowest === highest ? "unchanged in the range" : `${numberText(lowest)} to ${numberText(highest)} in the range`;
}

function textOf(value: number | null): string {
  return value === null ? none : numberText(value);
}
