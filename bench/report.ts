import { DISTURBED, median } from "./measure.ts";
import { redisSections } from "./redis/report.ts";
import { eventsTable } from "./report-events.ts";
import { middlewareTable, recordSizesTable, recordsTable } from "./report-records.ts";
import { middle, type Results, ratio } from "./results.ts";
import type { Operation, Subject } from "./subject.ts";
import { number, table } from "./table.ts";
import { limitOf, type Target, targets } from "./targets.ts";
import { CONNECTIONS } from "./wrk.ts";

const OPERATIONS: Operation[] = [
  "retrieve",
  "retrieve-anonymous",
  "retrieve-by-fetch",
  "create-anonymous",
  "create-with-ids",
  "associate",
  "associate-rotate",
];

/** Returns the report in Markdown: the bar charts, the ratios, and the figures from which they were computed. */
export function report(results: Results, subjects: Subject[]): string {
  const measured = subjects.filter((subject) => results.operations.some((result) => result.subject === subject.name));
  const sections = [
    header(results),
    targetTable(targets(results)),
    ratioTable(results, measured),
    costTable(results, measured),
    ...OPERATIONS.map((operation) => operationTable(results, measured, operation)),
    slowDiskTable(results),
    recordsTable(results),
    recordSizesTable(results),
    middlewareTable(results),
    growthTable(results),
    eventsTable(results),
    ...redisSections(results),
    disturbances(results),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function header({ machine, commit, options, started, cacheNs }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, text]) => `${name} ${text}`);
  const { rounds, seconds, warmUp, quick } = options;
  return [
    `# Benchmarks of ${started.slice(0, 10)}`,
    ...(quick ? ["", "**A quick run: it shows that everything works. Its figures are no result.**"] : []),
    "",
    `- Commit: ${commit}`,
    `- Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Linux ${machine.kernel}`,
    `- Disk: fsync after 4 KiB takes ${machine.fsyncMs.p50} ms (p50), ${machine.fsyncMs.p99} ms (p99)`,
    `- Cache: a random read within 8 MiB took ${cacheNs.join(", ")} ns before each round (a few tens where no neighbour uses it)`,
    `- Versions: ${versions.join(", ")}`,
    `- Started ${started}; medians, rounds: ${rounds}, in fresh processes; ${seconds} s each after ${warmUp} s of warm-up`,
    `- Server, and the Redis below a peer, on one core; wrk with ${CONNECTIONS} connections on the other`,
  ].join("\n");
}

function targetTable(all: Target[]): string {
  const rows = all.map(({ what, target, reached, holds, unit, disturbed }) => [
    what,
    `${target}${unit}`,
    reached === undefined ? "not measured" : `${number(reached, reached < 1000 ? 2 : 0)}${unit}`,
    holds === undefined ? "" : disturbed ? "disturbed: no result" : holds ? "yes" : "**no**",
  ]);
  return `## Targets\n\n${table(["", "target", "reached", "met"], rows)}`;
}

function ratioTable(results: Results, subjects: Subject[]): string {
  const limit = limitOf(results);
  if (!limit) return "";
  const rows = subjects.map(({ name, title }) => [
    title,
    ...OPERATIONS.map((operation) => number(ratio(results, [name, operation], [limit, "retrieve"])?.value, 3)),
  ]);
  const intro = `Requests per second, as a part of what \`${limit}\` answers in the same round; of the undisturbed rounds where there are any.`;
  return `## Ratios\n\n${intro}\n\n${table(["", ...OPERATIONS], rows)}`;
}

/**
 * Returns the table of CPU cost, which is more stable than requests per second: pauses and a slow load generator do not
 * affect it.
 */
function costTable(results: Results, subjects: Subject[]): string {
  const limit = limitOf(results);
  if (!limit) return "";
  const cost = (name: string, operation: Operation) => {
    const [own, kernel] = (["cpuPer100k", "interruptsPer100k"] as const).map((figure) =>
      middle(results, name, operation, figure),
    );
    return own === undefined || kernel === undefined ? undefined : own + kernel;
  };
  const least = cost(limit, "retrieve") ?? Number.NaN;
  const rows = subjects.map(({ name, title }) => [
    title,
    ...OPERATIONS.map((operation) => number(least / (cost(name, operation) ?? Number.NaN), 3)),
  ]);
  const intro = `CPU time that \`${limit}\` takes for a request, as a part of what each takes; the kernel's network included.`;
  return `## Ratios of CPU time\n\n${intro}\n\n${table(["", ...OPERATIONS], rows)}`;
}

function operationTable(results: Results, subjects: Subject[], operation: Operation): string {
  const rows = subjects
    .filter((subject) => subject.operations.includes(operation))
    .map((subject) => {
      const of = (figure: Parameters<typeof middle>[3], decimals: number) =>
        number(middle(results, subject.name, operation, figure), decimals);
      return [
        subject.title,
        subject.durable,
        of("perSecond", 0),
        of("p50", 2),
        of("p99", 2),
        of("cpuPer100k", 2),
        of("residentMiB", 0),
        `${of("serverCore", 2)} / ${of("loadCore", 2)}`,
      ];
    });
  if (rows.length === 0) return "";
  const columns = ["", "survives", "requests/s", "p50 ms", "p99 ms", "CPU s / 100k", "MiB", "busy"];
  return `## ${operation}\n\n${table(columns, rows)}`;
}

function slowDiskTable({ slowDisk }: Results): string {
  if (slowDisk.length === 0) return "";
  const rows = [...new Set(slowDisk.map((result) => result.subject))].flatMap((subject) => {
    const rounds = slowDisk.filter((result) => result.subject === subject);
    const of = (pick: (result: (typeof rounds)[number]) => number, decimals = 2) =>
      number(median(rounds.map(pick)), decimals);
    const alone = [
      ...[subject, "none", of((result) => result.alone.perSecond, 0)],
      ...["1", of((result) => result.alone.p99), "", ""],
    ];
    const beside = (rounds[0]?.beside ?? []).map(({ writers }, index) => {
      const at = (result: (typeof rounds)[number]) => result.beside[index] ?? rounds[0]?.beside[0];
      return [
        subject,
        writers,
        of((result) => at(result)?.reads.perSecond ?? Number.NaN, 0),
        of((result) => (at(result)?.reads.perSecond ?? Number.NaN) / result.alone.perSecond),
        of((result) => at(result)?.reads.p99 ?? Number.NaN),
        of((result) => at(result)?.writes.perSecond ?? Number.NaN, 0),
        of((result) => at(result)?.writes.p50 ?? Number.NaN),
      ];
    });
    return [alone, ...beside];
  });
  const columns = ["", "creates beside", "reads/s", "of alone", "p99 ms", "creates/s", "p50 ms"];
  return `## A slow disk: ${slowDisk[0]?.fsyncMs} ms more per fsync\n\n${table(columns, rows)}`;
}

function growthTable({ growth }: Results): string {
  if (growth.length === 0) return "";
  const sizes = [...new Set(growth.map((result) => result.sessions))];
  const rows = sizes.map((size) => {
    const rounds = growth.filter((result) => result.sessions === size);
    const of = (pick: (result: (typeof rounds)[number]) => number, decimals = 0) =>
      number(median(rounds.map(pick)), decimals);
    return [
      size.toLocaleString("en"),
      of((result) => result.retrieve.perSecond),
      of((result) => result.retrieve.p99, 2),
      of((result) => result.retrieve.cpuPer100k, 2),
      of((result) => result.bytesPerSession, 1),
      of((result) => result.startedInMs),
      of((result) => result.residentMiB),
      of((result) => result.retrieve.residentMiB),
    ];
  });
  const columns = [
    ...["sessions stored", "retrieve/s", "p99 ms", "CPU s / 100k", "bytes a session"],
    ...["start ms", "MiB at start", "MiB under load"],
  ];
  const intro = "Ids uniformly random over the whole store.";
  return `## Growth\n\n${intro}\n\n${table(columns, rows)}`;
}

function disturbances({ operations, records, middleware }: Results): string {
  const rows = [
    ...operations.map((one) => [one, `${one.subject}, ${one.operation}`] as const),
    ...records.map((one) => [one, `${one.subject}, records: ${one.recording}`] as const),
    ...middleware.flatMap(({ round, middleware: has, paced, full }) => {
      const name = `Express ${has ? "with" : "without"} middleware`;
      return [
        [{ round, measurement: paced }, `${name}, paced`] as const,
        [{ round, measurement: full }, `${name}, full`] as const,
      ];
    }),
  ]
    .filter(([{ measurement }]) => measurement.disturbed > DISTURBED)
    .map(([{ round, measurement }, what]) => [
      `${what}, round ${round}`,
      `${Math.round(measurement.disturbed * 100)} %`,
    ]);
  if (rows.length === 0) return "";
  const intro = "Others used one of the two cores for this part of the time of:";
  return `## Disturbed\n\n${intro}\n\n${table(["measurement", "part"], rows)}`;
}
