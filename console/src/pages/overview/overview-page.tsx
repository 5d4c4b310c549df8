import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { setQuery } from "../../router.ts";
import { Chart, type Series } from "../../ui/chart.tsx";
import { PageHeader, Section } from "../../ui/page.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { formatDuration } from "../../ui/time.tsx";
import { type Figures, figuresOf, limited, MAX_LINES, type Measured, numberText, sumOf } from "./figures.ts";
import { MeasuredTable } from "./measured-table.tsx";
import { type Range, rangeInAddress, ranges } from "./range.ts";
import { ServiceState } from "./service-state.tsx";
import { Tiles } from "./tiles.tsx";

/** The page that shows what happens in the service, over a range of time that is in its address. */
export function OverviewPage(): JSX.Element {
  const range = rangeInAddress();
  const loading = useLoaded(range.name, async (signal) => await load(range, signal), { everyMs: range.everyMs });
  return (
    <>
      <PageHeader title="Overview" actions={<RangeChoice chosen={range} />} />
      <ServiceState />
      <LoadedView loading={loading} what="Loading statistics">
        {(figures) => <Statistics figures={figures} />}
      </LoadedView>
    </>
  );
}

async function load({ lengthMs, stepMs }: Range, signal: AbortSignal): Promise<Figures> {
  const now = Date.now();
  const since = new Date(now - lengthMs);
  return figuresOf(await administration.statistics({ since, step: stepMs / 1000, signal }), now);
}

function RangeChoice({ chosen }: { readonly chosen: Range }): JSX.Element {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">Range of time</legend>
      {ranges.map(({ name, title }) => (
        <label key={name}>
          <input
            type="radio"
            name="range"
            aria-label={title}
            checked={chosen.name === name}
            onChange={() => setQuery({ range: name }, { replace: true })}
          />
          <span aria-hidden="true">{name.replace("m", " min").replace("h", " h").replace("d", " d")}</span>
        </label>
      ))}
    </fieldset>
  );
}

function Statistics({ figures }: { readonly figures: Figures }): JSX.Element {
  if (figures.liveTimes.length === 0 || isWithoutServer(figures)) {
    return (
      <EmptyState icon="overview" title="No statistics in this range">
        <p>No server ran, or it has only just started. Statistics appear within a minute.</p>
      </EmptyState>
    );
  }
  return (
    <>
      <Tiles figures={figures} />
      <SessionCharts figures={figures} />
      <RecordCharts figures={figures} />
      <ApiCharts figures={figures} />
    </>
  );
}

function isWithoutServer({ live, sessions, operations }: Figures): boolean {
  const columns = [live, sessions.created, ...operations.map(({ rate }) => rate)];
  return columns.every((column) => column.every((value) => value === null));
}

function SessionCharts({ figures }: { readonly figures: Figures }): JSX.Element {
  const { times, liveTimes, live, sessions } = figures;
  return (
    <Section title="Sessions">
      <div class="charts">
        <Chart
          title="Live sessions"
          kind="area"
          times={liveTimes}
          series={[{ label: "live", values: live }]}
          format={numberText}
        />
        <Chart
          title="Changes per minute"
          times={times}
          series={[
            { label: "created", values: sessions.created, color: 0 },
            { label: "associated", values: sessions.associated, color: 3 },
            { label: "ended", values: sessions.ended, color: 6 },
            { label: "expired", values: sessions.expired, color: 2 },
          ]}
          format={numberText}
        />
      </div>
    </Section>
  );
}

/** The colour of each class of status. */
const statusColors: Readonly<Record<string, number>> = { "2xx": 0, "3xx": 3, "4xx": 2, "5xx": 7, none: 5, "1xx": 6 };

function RecordCharts({ figures }: { readonly figures: Figures }): JSX.Element {
  const { times, byStatus, services } = figures;
  const statuses = Object.entries(byStatus).map(
    ([status, values]): Series => ({
      label: status === "none" ? "no status" : status,
      values,
      color: statusColors[status],
    }),
  );
  if (services.length === 0) {
    return (
      <Section title="Recorded requests">
        <p class="quiet">No request was recorded in this range.</p>
      </Section>
    );
  }
  return (
    <Section title="Recorded requests">
      <div class="charts">
        <Chart title="Recorded requests per minute, by status" times={times} series={statuses} format={numberText} />
        <DurationChart title="Duration by service" times={times} measured={services} />
      </div>
      <MeasuredTable caption="Services, the busiest first" what="Service" rows={services} color={4} />
    </Section>
  );
}

function ApiCharts({ figures }: { readonly figures: Figures }): JSX.Element {
  const { times, operations, refusals } = figures;
  const refused = refusals
    .filter(([, values]) => sumOf(values) > 0)
    .map(([code, values]): Series => ({ label: code, values }));
  return (
    <Section title="The API of this service">
      <div class="charts">
        <DurationChart title="Latency by operation" times={times} measured={operations} />
        {refused.length > 0 ? (
          <Chart
            title="Refusals per minute, by code"
            times={times}
            series={limited(refused, "other codes")}
            format={numberText}
          />
        ) : (
          <div class="chart-empty">
            <h3>Refusals per minute, by code</h3>
            <p class="quiet">Nothing was refused in this range.</p>
          </div>
        )}
      </div>
      <MeasuredTable caption="Operations, the busiest first" what="Operation" rows={operations} color={7} hasFailures />
    </Section>
  );
}

const percentileNames = ["p50", "p95", "p99"] as const;

interface DurationChartProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly measured: readonly Measured[];
}

/** A chart of one percentile of the durations, which the reader chooses, for the busiest services or operations. */
function DurationChart({ title, times, measured }: DurationChartProps): JSX.Element {
  const percentile = useSignal<(typeof percentileNames)[number]>("p95");
  const series = measured.flatMap(({ name, durations }): Series[] =>
    durations === undefined || durations[percentile.value].every((value) => value === null)
      ? []
      : [{ label: name, values: durations[percentile.value] }],
  );
  return (
    <div class="chart-choice">
      <Chart
        title={`${title}, ${percentile.value}`}
        times={times}
        series={series.slice(0, MAX_LINES)}
        format={formatDuration}
      />
      <fieldset class="segments">
        <legend class="visually-hidden">{title}: percentile</legend>
        {percentileNames.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name={title}
              checked={percentile.value === name}
              onChange={() => {
                percentile.value = name;
              }}
            />
            {name}
          </label>
        ))}
      </fieldset>
    </div>
  );
}
