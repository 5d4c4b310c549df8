import { median } from "./measure.ts";
import { BATCH } from "./record-requests.ts";
import { type MiddlewareResult, type RecordsResult, type Results, recordingRatio } from "./results.ts";
import { number, table } from "./table.ts";

/** Returns the section of the report on the cost of recording. */
export function recordsTable({ records }: Results): string {
  if (records.length === 0) return "";
  const subjects = [...new Set(records.map(({ subject }) => subject))];
  const rows = subjects.flatMap((subject) =>
    (["retrieve", "forward-auth", "batches"] as const).map((recording) => {
      const rounds = records.filter((result) => result.subject === subject && result.recording === recording);
      const of = (pick: (result: RecordsResult) => number, decimals: number) =>
        number(rounds.length === 0 ? undefined : median(rounds.map(pick)), decimals);
      return [
        `${subject}, ${recording}`,
        of(({ measurement }) => measurement.perSecond, 0),
        number(recordingRatio(records, subject, recording)?.value, 2),
        recording === "retrieve" ? "" : of(({ recordsPerSecond }) => recordsPerSecond, 0),
        recording === "retrieve" ? "" : of(({ drainMs }) => drainMs, 0),
        of(({ measurement }) => measurement.p50, 2),
        of(({ measurement }) => measurement.p99, 2),
        of(({ measurement }) => measurement.cpuPer100k, 2),
        of(({ measurement }) => measurement.peakMiB, 0),
      ];
    }),
  );
  const columns = [
    ...["", "requests/s", "of retrieve", "records/s", "on disk after ms"],
    ...["p50 ms", "p99 ms", "CPU s / 100k requests", "peak MiB"],
  ];
  const intro = `Forward authentication records each request; \`batches\` are requests with ${BATCH} records each. Over recognized sessions at random.`;
  return `## Records\n\n${intro}\n\n${table(columns, rows)}`;
}

/** Returns the section of the report on the size of records on disk. */
export function recordSizesTable({ recordSizes }: Results): string {
  if (recordSizes.length === 0) return "";
  const rows = recordSizes.map(({ arrival, records, bytes, freeBytes, movedInSeconds }) => [
    arrival,
    number(records, 0),
    number(bytes, 1),
    number(freeBytes, 1),
    number(bytes - freeBytes, 1),
    number(movedInSeconds, 1),
  ]);
  const columns = ["arrival", "records", "bytes a record", "of them free", "in use", "moved after s"];
  const intro =
    "Growth of the data folder after a clean stop; free pages are used again by later data. Moved: from the journal, where all arrive, to their sessions.";
  return `## Records on disk\n\n${intro}\n\n${table(columns, rows)}`;
}

type Pick = (result: MiddlewareResult) => number;

/** The columns of the table: how to get each figure from a result, its decimals and its title. */
const FIGURES: [pick: Pick, decimals: number, name: string][] = [
  [({ paced }) => paced.p50, 2, "p50 ms"],
  [({ paced }) => paced.p99, 2, "p99 ms"],
  [({ full }) => full.perSecond, 0, "full: requests/s"],
  [({ full }) => full.p50, 2, "p50 ms"],
  [({ full }) => full.p99, 2, "p99 ms"],
  [({ full }) => full.cpuPer100k, 2, "CPU s / 100k"],
  [({ serviceCpuPer100k }) => serviceCpuPer100k, 2, "the service's"],
];

/** Returns the section of the report on the cost that the middleware adds to a request of an Express application. */
export function middlewareTable({ middleware }: Results): string {
  if (middleware.length === 0) return "";
  const own = middleware.filter((result) => result.middleware);
  const middle = (has: boolean, pick: Pick) => {
    const values = middleware.filter((result) => result.middleware === has).map(pick);
    return values.length === 0 ? Number.NaN : median(values);
  };
  const row = (name: string, of: (pick: Pick) => number) => [
    name,
    ...FIGURES.map(([pick, decimals]) => number(of(pick), decimals)),
  ];
  const rows = [
    row("without", (pick) => middle(false, pick)),
    row("with", (pick) => middle(true, pick)),
    row("added", (pick) => middle(true, pick) - middle(false, pick)),
  ];
  const intro =
    "An Express application on Node, the service on Bun on the other core, beside wrk. First at 200 requests a second, then as many as 64 connections send.";
  const sum = (pick: Pick) =>
    number(
      own.map(pick).reduce((all, one) => all + one, 0),
      0,
    );
  const withoutSession = sum((result) => result.withoutSession);
  const outro = `Requests without their session, of all rounds: ${withoutSession}; records dropped: ${sum(({ dropped }) => dropped)}.`;
  const columns = ["middleware", ...FIGURES.map(([, , name]) => name)];
  return `## Express middleware\n\n${intro}\n\n${table(columns, rows)}\n\n${outro}`;
}
