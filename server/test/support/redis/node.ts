// needs: redis-server

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { Redis, type RedisOptions } from "ioredis";

/** A Redis server in a process of its own. Its data and ports outlive the process. */
export interface RedisNode extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** True if its process exists, paused or not. */
  readonly isRunning: boolean;
  /** Sends one command; rejects after 20 seconds without a reply. */
  command(...words: readonly (string | number)[]): Promise<unknown>;
  /** Ends the process with SIGKILL, or with `signal`, and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with its data and ports. */
  restart(): Promise<void>;
  /** Pauses the process: connections stay open and nothing responds. */
  pause(): void;
  resume(): void;
  /** Output of the server since its last start. */
  output(): string;
}

export interface RedisNodeOptions {
  readonly host: string;
  readonly port: number;
  /** Folder for its data; created if it is missing. */
  readonly dir: string;
  /** Settings as in `redis.conf`: the name and its words. They override the settings of the tests. */
  readonly settings?: readonly (readonly [name: string, ...words: string[]])[];
  /** File with settings, which is read first. Sentinel keeps its state in it. */
  readonly configFile?: string;
  readonly isSentinel?: boolean;
  /** Command that runs the server, such as `nsenter` and its arguments. */
  readonly wrapper?: readonly string[];
  /** How the tests' own commands connect, if host and port are not enough. */
  readonly connection?: Pick<RedisOptions, "username" | "password" | "tls">;
}

/** The message with which the server says that it can be used. */
const READY = /Ready to accept connections|\+monitor master/;
const START_TIMEOUT = 60_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  // If the test runner is interrupted, kills each of our processes by its id.
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a server and waits until it can be used; rejects with its output if it cannot. */
export async function startRedis(options: RedisNodeOptions): Promise<RedisNode> {
  const { host, port } = options;
  mkdirSync(options.dir, { recursive: true });
  let client: Redis | undefined;
  let started = await startProcess(options);

  function disconnect(): void {
    client?.disconnect();
    client = undefined;
  }
  async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    disconnect();
    // A paused process reacts only to SIGKILL.
    if (signal !== "SIGKILL") started.child.kill("SIGCONT");
    started.child.kill(signal);
    await started.exited;
  }

  return {
    host,
    port,
    get isRunning() {
      return running.has(started.child);
    },
    command(name, ...words) {
      client ??= connect(options);
      return client.call(String(name), ...words);
    },
    kill,
    async restart() {
      await kill();
      started = await startProcess(options);
    },
    pause() {
      started.child.kill("SIGSTOP");
    },
    resume() {
      started.child.kill("SIGCONT");
    },
    output: () => started.output(),
    [Symbol.asyncDispose]: () => kill(),
  };
}

function connect({ host, port, connection }: RedisNodeOptions): Redis {
  const client = new Redis({
    host,
    port,
    commandTimeout: 20_000,
    connectTimeout: 20_000,
    maxRetriesPerRequest: 3,
    // The node may be loading, or may be a replica that has lost its primary.
    enableReadyCheck: false,
    ...connection,
  });
  // The sender of a command gets its error.
  client.on("error", () => undefined);
  return client;
}

interface StartedProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  output(): string;
}

async function startProcess(options: RedisNodeOptions): Promise<StartedProcess> {
  const [program, ...args] = [...(options.wrapper ?? []), "redis-server", ...argumentsOf(options)];
  const child = spawn(program as string, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "close").finally(() => running.delete(child));
  exited.catch(() => undefined);
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`redis-server ${why}\n${output}`));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail(`is not ready after ${START_TIMEOUT} ms`);
    }, START_TIMEOUT);
    void exited
      .then(
        () => fail("ended"),
        (error: unknown) => fail(`was not started: ${String(error)}`),
      )
      .finally(() => clearTimeout(timer));
    child.stdout.on("data", () => {
      if (!READY.test(output)) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return { child, exited, output: () => output };
}

/** Returns arguments for a server that starts quickly, and writes nothing to the disk unless the settings say so. */
function argumentsOf(options: RedisNodeOptions): string[] {
  const { host, port, dir, settings = [], configFile, isSentinel = false } = options;
  const ours: (readonly string[])[] = [
    ["bind", host],
    ["port", String(port)],
    ["dir", dir],
    ["logfile", ""],
    // Leftover processes are found by their environment, which the process title would overwrite.
    ["set-proc-title", "no"],
    ["protected-mode", "no"],
  ];
  if (!isSentinel) {
    ours.push(
      ["save", ""],
      ["appendonly", "no"],
      ["repl-diskless-sync", "yes"],
      ["repl-diskless-sync-delay", "0"],
      ["enable-debug-command", "yes"],
    );
  }
  return [
    ...(configFile === undefined ? [] : [configFile]),
    ...[...ours, ...settings].flatMap(([name, ...words]) => [`--${name}`, ...words]),
    ...(isSentinel ? ["--sentinel"] : []),
  ];
}
