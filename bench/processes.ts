import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The CPU core on which the measured processes run, and the core for the load. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** A process that the benchmarks have started, and stop at their end. */
export type Started = {
  pid: number;
  /** The text that the first group of the pattern `ready` has captured. */
  ready: string;
  /** Sends SIGTERM and waits until the process has ended. If it has not ended after ten seconds, sends SIGKILL. */
  close: () => Promise<void>;
};

type StartOptions = {
  cores: number[];
  env?: Record<string, string>;
  /** The process is ready when its standard output matches this pattern; immediately without a pattern. */
  ready?: RegExp;
  /** Maximum time in milliseconds until the process is ready; one minute by default. */
  patienceMs?: number;
};

const children = new Set<ChildProcess>();
const folders = new Set<string>();

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => process.exit(130));
}

/** Creates an empty folder, which is deleted when the benchmarks end. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "antechamber-bench-"));
  folders.add(path);
  const remove = () => {
    rmSync(path, { recursive: true, force: true });
    folders.delete(path);
  };
  return { path, remove };
}

/** Returns the total size in bytes of all files in a folder and its subfolders. */
export function folderSize(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);
}

/** Returns a free port on the loopback address. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Starts a program on the given cores and waits until it is ready. Rejects with its output if it ends before. */
export async function start(
  command: string,
  args: string[],
  { cores, env, ready, patienceMs = 60_000 }: StartOptions,
): Promise<Started> {
  // `taskset` replaces itself with the program, so the process id stays the same.
  const child = spawn("taskset", ["-c", cores.join(","), command, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => {
      children.delete(child);
      resolve();
    });
  });
  const close = () => end(child, ended);
  try {
    return {
      pid: child.pid ?? 0,
      ready: await whenReady(child, command, patienceMs, ready),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function whenReady(child: ChildProcess, command: string, patienceMs: number, ready?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const fail = (reason: string) => reject(new Error(`${command} ${reason}\n${output}`));
    const timer = setTimeout(fail, patienceMs, "was not ready in time");
    const settle = (found: string) => {
      clearTimeout(timer);
      resolve(found);
    };
    // All output is read, because a full pipe would block the program.
    const read = (chunk: Buffer) => {
      if (output.length < 10_000) output += chunk.toString();
      const match = ready?.exec(output);
      if (match) settle(match[1] ?? "");
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("error", (error) => fail(`did not start: ${error.message}`));
    child.once("close", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code} before it was ready`);
    });
    if (!ready) settle("");
  });
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}

/** Runs a program and returns its standard output. Rejects if the program fails. */
export function run(command: string, args: string[], core = LOAD_CORE): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("taskset", ["-c", String(core), command, ...args]);
    children.add(child);
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      children.delete(child);
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${code}\n${complaint}${output}`));
    });
  });
}
