import { spawn } from "node:child_process";
import { once } from "node:events";
import { exitOf } from "../../src/cli/exit-codes.ts";
import { createOutput } from "../../src/cli/output.ts";
import { createProgram, everyCommand } from "../../src/cli/program.ts";
import { assertNoSessionId } from "./log-secrets.ts";
import { launcher } from "./server-process.ts";

/** Result of a command. */
export interface Result {
  /** The exit code; `null` if a signal ended the command. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a command of the launcher, as users do, without the settings in the environment of the tests. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ANTECHAMBER_"));
  const child = spawn(launcher, args, {
    cwd: options.cwd,
    env: {
      ...Object.fromEntries(kept),
      ANTECHAMBER_RUNTIME: process.env.ANTECHAMBER_RUNTIME ?? "bun",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  assertNoSessionId(stdout + stderr, `the output of ${args.slice(0, 2).join(" ")}`);
  return { code, stdout, stderr };
}

/**
 * Runs a command that must succeed, and returns its results. Unless it needs a process of its own, it runs in this
 * process, which is faster.
 */
export async function succeed(args: readonly string[], options?: RunOptions): Promise<string> {
  const isHere = options === undefined && !isStreamed(args);
  const { code, stdout, stderr } = await (isHere ? runHere(args) : run(args, options));
  if (code !== 0) throw new Error(`antechamber ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Returns whether a command writes to the standard output of its process by itself, because its result can be long. */
function isStreamed([group, name, ...rest]: readonly string[]): boolean {
  return group === "customers" && name === "export" && !rest.includes("--out");
}

/** Like `succeed` with `--json`; returns the parsed result. */
export async function succeedJson<T>(args: readonly string[], options?: RunOptions): Promise<T> {
  return JSON.parse(await succeed([...args, "--json"], options)) as T;
}

/** Ends a session in a data folder. Returns whether the command reported that it ended the session. */
export async function endSession(dataDir: string, sessionId: string): Promise<boolean> {
  return (await run(["sessions", "end", sessionId, "--data-dir", dataDir])).code === 0;
}

/**
 * Runs a command in this process, which is faster. For commands that end by themselves, when the test is not about
 * their process. Warnings about the store, and an export without `--out`, go to this process's output.
 */
export async function runHere(args: readonly string[]): Promise<Result> {
  let [stdout, stderr] = ["", ""];
  const out = (text: string) => {
    stdout += text;
  };
  const err = (text: string) => {
    stderr += text;
  };
  const program = createProgram(createOutput(out, err, false));
  everyCommand(program, (command) => {
    command.configureOutput({ writeOut: out, writeErr: err });
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { exitCode, message } = exitOf(error);
    return { code: exitCode, stdout, stderr: message === "" ? stderr : `${stderr}antechamber: ${message}\n` };
  } finally {
    assertNoSessionId(stdout + stderr, `the output of ${args.slice(0, 2).join(" ")}`);
  }
}

/** Returns the words of every command, without the program's name. */
export function commandNames(): string[][] {
  const names: string[][] = [];
  everyCommand(createProgram({ print() {}, printJson() {}, remark() {}, isColoured: false }), (command) => {
    const words: string[] = [];
    for (let at = command; at.parent !== null; at = at.parent) words.unshift(at.name());
    names.push(words);
  });
  return names;
}
