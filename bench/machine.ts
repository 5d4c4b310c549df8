import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { median, round } from "./measure.ts";
import { temporaryFolder } from "./processes.ts";
import { runtime } from "./subjects/node-peers.ts";

/** The machine on which the measurements run. */
export type Machine = {
  processor: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  system: string;
  /** Time in milliseconds of writing 4 KiB and an fsync, on the file system of the data. */
  fsyncMs: { p50: number; p99: number };
  versions: Record<string, string>;
};

/** Describes this machine. Writes a small file to measure the disk. */
export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "",
    fsyncMs: timeFsync(),
    versions: {
      bun: version(runtime("bun"), "--version"),
      node: version(runtime("node"), "--version"),
      nginx: version("nginx", "-v"),
      "redis-server": version("redis-server", "--version"),
      wrk: version("wrk", "--version"),
      ...packageVersions(),
    },
  };
}

/** Returns a name for the results. It describes the machine but does not identify its owner. */
export function machineName({ processor, cores }: Machine): string {
  const words = processor.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return `${words.replaceAll(/^-|-$/g, "")}-${cores}-cores`;
}

/**
 * Returns how long (ns) a read at a random position within 8 MiB takes. It takes a few tens of nanoseconds if the
 * processor's last-level cache is free, and 100 or more if other machines on the same host fill the cache. Programs
 * with a large heap then run at half their speed, and nothing else on this machine shows why.
 */
export function timeCache(): number {
  const size = 2 ** 21;
  const next = Uint32Array.from({ length: size }, (_, index) => index);
  // Sattolo's shuffle creates a single cycle, so that the loop below reads every position once.
  for (let index = size - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * index);
    const kept = next[index] ?? 0;
    next[index] = next[other] ?? 0;
    next[other] = kept;
  }
  let place = 0;
  const began = performance.now();
  for (let step = 0; step < size; step++) place = next[place] ?? 0;
  return round(((performance.now() - began) * 1e6) / size, 0) + Math.min(0, place);
}

/** Returns the commit of the sources. Appends `-dirty` if files were changed. */
export function currentCommit(): string {
  const options = { cwd: import.meta.dirname, encoding: "utf8" } as const;
  return execFileSync("git", ["describe", "--always", "--dirty", "--exclude=*"], options).trim();
}

function version(command: string, option: string): string {
  // wrk exits with status 1 after it has printed its version. nginx prints its version to standard error.
  const script = `"$1" "$2" 2>&1 || true`;
  const output = execFileSync("sh", ["-c", script, "sh", command, option], { encoding: "utf8" });
  return /\d+\.\d+(\.\d+)?/.exec(output)?.[0] ?? output.trim();
}

function packageVersions(): Record<string, string> {
  const file = join(import.meta.dirname, "package.json");
  const { dependencies } = JSON.parse(readFileSync(file, "utf8")) as {
    dependencies: Record<string, string>;
  };
  return dependencies;
}

function timeFsync(): Machine["fsyncMs"] {
  const folder = temporaryFolder();
  const file = openSync(join(folder.path, "fsync"), "w");
  const page = new Uint8Array(4096);
  const times = Array.from({ length: 200 }, () => {
    writeSync(file, page);
    const began = performance.now();
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  folder.remove();
  const p99 = times.toSorted((a, b) => a - b)[197] ?? Number.NaN;
  return { p50: round(median(times), 2), p99: round(p99, 2) };
}
