// needs: sh

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { assertNoSecrets } from "./log-secrets.ts";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";

/** How a process ended: `code` is `null` if `signal` ended it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A server in a process of its own, started by the launcher as users start it. With `await using server = await
 * startServer()` it ends with the block; `end()` ends it earlier.
 */
export interface ServerProcess extends AsyncDisposable {
  /** Id of the process that was started: the server itself, or its `wrapper`. */
  readonly pid: number;
  /** Folder with its data. */
  readonly dataDir: string;
  /** URL of the ready line, without a slash at its end. Throws until that line is printed. */
  readonly url: string;
  /** Resolves with `url` as soon as the server is ready; rejects if it ends before. */
  readonly ready: Promise<string>;
  /** Resolves when the process has ended and its output was read completely. */
  readonly exited: Promise<Exit>;
  /** Output so far. */
  stdout(): string;
  stderr(): string;
  /** Sends a signal, SIGTERM by default; resolves when the process has ended. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
  /** Kills the process and its child processes at once, and removes the folder that it was given. */
  end(): Promise<Exit>;
}

export interface ServerProcessOptions {
  /** `ANTECHAMBER_*` settings and others; port 0 and the log level `info` by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags after `serve`. */
  readonly args?: readonly string[];
  /** Data directory that outlives the server; by default a temporary one that is removed with it. */
  readonly dataDir?: string;
  /** Command that runs the launcher, such as `["strace", "-f", "-o", file]`. */
  readonly wrapper?: readonly string[];
  /** Program to run instead of the launcher, such as a built executable. */
  readonly program?: string;
  /** Runtime of the server; by default that of `ANTECHAMBER_RUNTIME`, set for the whole test run. */
  readonly runtime?: "bun" | "node";
  /** How long to wait for the ready line, in ms; 30,000 by default. */
  readonly readyTimeout?: number;
}

/** The launcher of the command line. */
export const launcher = fileURLToPath(new URL("../../bin/antechamber", import.meta.url));

const READY_LINE = /^antechamber listening on (\S+)$/m;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  // If the test runner is interrupted, kills each of our processes by its id.
  for (const child of running) killGroup(child, "SIGKILL");
});

/** Starts a server and waits until it is ready; rejects with its output if it does not become ready. */
export async function startServer(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const server = spawnServer(options);
  try {
    await server.ready;
    return server;
  } catch (error) {
    await server.end();
    throw error;
  }
}

/** Starts a server without waiting for it. The caller must end it. */
export function spawnServer(options: ServerProcessOptions = {}): ServerProcess {
  const own = options.dataDir === undefined ? temporaryDirectory() : undefined;
  const dataDir = options.dataDir ?? (own as TemporaryDirectory).path;
  const program = options.program ?? launcher;
  const [first, ...rest] = [...(options.wrapper ?? []), program];
  const child = spawn(first, [...rest, "serve", ...(options.args ?? [])], {
    cwd: dataDir,
    env: environment(dataDir, options),
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that a wrapper and its server end together.
    detached: true,
  });
  running.add(child);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const exited = exitOf(child);
  const ready = readyUrl(child, stdout, exited, stderr, options.readyTimeout ?? 30_000);
  // Not every test awaits `ready`. Tests that do still get the rejection.
  ready.catch(() => undefined);
  exited.catch(() => undefined);

  const end = (): Promise<Exit> => {
    killGroup(child, "SIGKILL");
    return exited.finally(() => own?.remove());
  };
  return {
    pid: child.pid ?? -1,
    dataDir,
    get url() {
      const url = READY_LINE.exec(stdout())?.[1];
      if (url === undefined) throw new Error("the server is not ready");
      return url;
    },
    ready,
    exited,
    stdout,
    stderr,
    kill(signal = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
    end,
    async [Symbol.asyncDispose]() {
      await end();
      assertNoSecrets(stderr());
    },
  };
}

function environment(dataDir: string, options: ServerProcessOptions): NodeJS.ProcessEnv {
  // The settings of the person who runs the tests must not reach the server.
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ANTECHAMBER_"));
  const runtime = options.runtime ?? process.env.ANTECHAMBER_RUNTIME ?? "bun";
  return {
    ...Object.fromEntries(kept),
    ANTECHAMBER_RUNTIME: runtime,
    ANTECHAMBER_PORT: "0",
    ANTECHAMBER_CONSOLE: "false",
    ANTECHAMBER_DATA_DIR: dataDir,
    ...options.env,
  };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  try {
    // "close" comes after "exit", when both outputs were read completely.
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } finally {
    running.delete(child);
  }
}

function readyUrl(
  child: ChildProcess,
  stdout: () => string,
  exited: Promise<Exit>,
  stderr: () => string,
  timeout: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${why}\n${stdout()}${stderr()}`));
    const timer = setTimeout(() => fail(`the server is not ready after ${timeout} ms`), timeout);
    child.stdout?.on("data", () => {
      const url = READY_LINE.exec(stdout())?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    void exited
      .then(
        ({ code, signal }) => fail(`the server ended with ${code ?? signal}`),
        (error: unknown) => fail(`the server was not started: ${String(error)}`),
      )
      .finally(() => clearTimeout(timer));
  });
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  // The first process may be gone while others of its group still hold its output open.
  if (child.pid === undefined || !running.has(child)) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The process has just ended by itself.
  }
}
