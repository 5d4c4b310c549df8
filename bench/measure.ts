import { LOAD_CORE, SERVER_CORE } from "./processes.ts";
import type { Running } from "./subject.ts";
import { coreTime, cpuSeconds, loadCpuSeconds, memory, tree } from "./usage.ts";
import { type Load, type LoadResult, load } from "./wrk.ts";

/** A measured load, and what it cost the server. */
export type Measurement = LoadResult & {
  /** CPU seconds of the server's processes per 100,000 requests. */
  cpuPer100k: number;
  /**
   * CPU seconds of the kernel that are not counted for any process, per 100,000 requests. Most of them are for the
   * loopback network.
   */
  interruptsPer100k: number;
  residentMiB: number;
  peakMiB: number;
  /** Share of the time in which the server's core was busy with the server, and the load's core with wrk. */
  serverCore: number;
  loadCore: number;
  /**
   * Share of the time in which the server's core worked for other programs. Other programs on the load's core count
   * only if wrk did not get enough time.
   */
  disturbed: number;
};

/** If a core is busy for more than this share of the time, its programs may have to wait for each other. */
const CROWDED = 0.85;

/** A measurement with a larger `disturbed` is marked as disturbed, and repeated if possible. */
export const DISTURBED = 0.05;

/**
 * Runs a load on a running service and measures it, with the CPU times of the service's processes and of both cores.
 */
export function measure(running: Running, options: Load): Promise<Measurement> {
  return measureWhile(running.pids, () => load(options));
}

/** Runs any load and measures it. `roots` are the processes under load; their descendants are found automatically. */
export async function measureWhile(roots: number[], work: () => Promise<LoadResult>): Promise<Measurement> {
  const pids = tree(roots);
  const before = read(pids);
  const result = await work();
  const after = read(pids);

  const wall = after.at - before.at;
  const server = after.server - before.server;
  const wrk = after.load - before.load;
  const serverCore = after.serverCore.busy - before.serverCore.busy;
  const loadCore = after.loadCore.busy - before.loadCore.busy;
  const interrupts = after.serverCore.interrupts - before.serverCore.interrupts;
  const crowded = loadCore / wall > CROWDED;
  const per100k = 100_000 / Math.max(1, result.requests);
  return {
    ...result,
    ...memory(pids),
    cpuPer100k: round(server * per100k, 3),
    interruptsPer100k: round(interrupts * per100k, 3),
    serverCore: round(server / wall, 2),
    loadCore: round(wrk / wall, 2),
    disturbed: round(Math.max(0, serverCore - server, crowded ? loadCore - wrk : 0) / wall, 3),
  };
}

/** Measures once; if other programs disturbed the measurement, measures again and returns the less disturbed one. */
export async function calmest(once: () => Promise<Measurement>, quick: boolean): Promise<Measurement> {
  const first = await once();
  if (first.disturbed <= DISTURBED || quick) return first;
  const second = await once();
  return second.disturbed < first.disturbed ? second : first;
}

/**
 * Throws if a request was refused or its connection broke: the result must count only requests that were carried out.
 */
export function allAnswered(what: string, { refused, broken }: LoadResult): void {
  if (refused + broken > 0) throw new Error(`${what}: ${refused} refused, ${broken} broken`);
}

function read(pids: number[]) {
  return {
    at: performance.now() / 1000,
    server: cpuSeconds(pids),
    load: loadCpuSeconds(pids),
    serverCore: coreTime(SERVER_CORE),
    loadCore: coreTime(LOAD_CORE),
  };
}

/** Rounds to `decimals` decimals. */
export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

/** Returns the value below which this part of the sorted values is. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (low + (sorted[Math.floor(middle)] ?? low)) / 2;
}
