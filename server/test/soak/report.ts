import { cpus } from "node:os";
import { type Sample, slopeOf } from "./samples.ts";
import type { SoakRun } from "./soak.ts";

/** Writes the report of a soak: a table with a row for each figure, and one of the responses. */
export function reportOf(run: SoakRun, after: ReadonlyMap<string, number>): string {
  const { plan, samples, tally } = run;
  const warmUp = warmUpOf(run);
  const names = [...new Set(samples.flatMap(({ figures }) => [...figures.keys()]))];
  const rows = names.map((name) => {
    const { perHour, error } = slopeOf(samples, name, warmUp);
    const values = samples.filter(({ at }) => at >= warmUp).map(({ figures }) => figures.get(name) ?? 0);
    const cells = [
      name,
      first(samples, name),
      shown(Math.min(...values)),
      shown(Math.max(...values)),
      `${shown(perHour)} ± ${shown(error)}`,
      shown(after.get(name) ?? 0),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const counted = [...tally.responses].toSorted(([a], [b]) => a.localeCompare(b));
  const total = counted.reduce((sum, [, count]) => sum + count, 0);
  return [
    `## ${plan.engine === "sqlite" ? "SQLite" : "Redis, two processes"} on ${plan.runtime === "bun" ? "Bun" : "Node"}`,
    "",
    `${plan.rate} requests a second for ${plan.seconds} s (${total} responses, ${tally.notSent} not sent), ` +
      `sampled every ${plan.interval} s; idle ${plan.idle} s, lifetime ${plan.lifetime} s, retention ` +
      `${plan.retention} s. ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores. Slopes are of ` +
      `the samples from ${Math.round(warmUp)} s on, ± twice the standard error.`,
    "",
    "| figure | first | least | most | slope an hour | afterwards |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
    "",
    counted.map(([name, count]) => `${name}: ${count}`).join(", "),
    "",
  ].join("\n");
}

/** Returns when the warm-up ends, in seconds: sessions have begun to expire, and the caches are full. */
export function warmUpOf({ plan }: SoakRun): number {
  return plan.seconds / 3;
}

const first = (samples: readonly Sample[], name: string) => shown(samples[0]?.figures.get(name) ?? 0);

function shown(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Math.round(value * 100) / 100);
}
