// needs: linux

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ServerProcess } from "../support/server-process.ts";
import type { SoakClient } from "./client.ts";

/** The figures of a server and its data at one time, by name. Sizes are in MB (10^6 bytes). */
export interface Sample {
  /** Seconds since the first sample. */
  readonly at: number;
  readonly figures: ReadonlyMap<string, number>;
}

const MB = 1_000_000;

/** Returns the figures of a server's process: memory, descriptors, threads, log, and the files of its data folder. */
export async function sampleServer(server: ServerProcess, client: SoakClient): Promise<Map<string, number>> {
  const { text } = await client.send("GET", "/metrics");
  const status = readFileSync(`/proc/${server.pid}/status`, "latin1");
  const ofStatus = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? Number.NaN);
  const ofMetrics = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  const figures = new Map([
    ["resident MB", (ofStatus("VmRSS") * 1024) / MB],
    ["heap MB", ofMetrics("nodejs_heap_size_used_bytes") / MB],
    ["external MB", ofMetrics("nodejs_external_memory_bytes") / MB],
    ["descriptors", readdirSync(`/proc/${server.pid}/fd`).length],
    ["threads", ofStatus("Threads")],
    ["log MB", server.stderr().length / MB],
  ]);
  for (const name of ["antechamber.db", "antechamber.db-wal"]) {
    const size = sizeOf(join(server.dataDir, name));
    if (size !== undefined) figures.set(`${name} MB`, size / MB);
  }
  return figures;
}

function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

/** A fitted straight line: its slope per hour, and twice its standard error. */
export interface Slope {
  readonly perHour: number;
  readonly error: number;
}

/** Fits a figure of the samples after `warmUp` seconds by least squares. */
export function slopeOf(samples: readonly Sample[], name: string, warmUp: number): Slope {
  const points = samples
    .filter(({ at, figures }) => at >= warmUp && figures.has(name))
    .map(({ at, figures }) => [at / 3600, figures.get(name) ?? 0] as const);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const x = mean(points.map(([at]) => at));
  const y = mean(points.map(([, value]) => value));
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  const perHour = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread;
  const rest = points.reduce((sum, [at, value]) => sum + (value - y - perHour * (at - x)) ** 2, 0);
  return { perHour, error: 2 * Math.sqrt(rest / Math.max(1, points.length - 2) / spread) };
}
