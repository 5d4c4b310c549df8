// needs: redis-server

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { Redis, type RedisOptions } from "ioredis";

/** A Redis server in a process of its own. Its data and ports outlive the process. */
export interface RedisNode extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Whether its process is there, paused or not. */
  readonly isRunning: boolean;
  /** Sends one command; rejects after five seconds without an answer. */
  command(...words: readonly (string | number)[]): Promise<unknown>;
  /** Ends the process as a power cut would, or as `signal` says, and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again over its data, with its ports. */
  restart(): Promise<void>;
  /** Stops the process where it stands: connections stay open and nobody answers. */
  pause(): void;
  resume(): void;
  /** What the server printed since its last start. */
  output(): string;
}

export interface RedisNodeOptions {
  readonly host: string;
  readonly port: number;
  /** A folder for its data; made where it is missing. */
  readonly dir: string;
  /** Settings as in `redis.conf`: name, then its words. They come after ours and win. */
  readonly settings?: readonly (readonly [name: string, ...words: string[]])[];
  /** A file with settings, given first. Sentinel keeps its state in it. */
  readonly configFile?: string;
  readonly isSentinel?: boolean;
  /** A command that runs the server, such as `nsenter` and its arguments. */
  readonly wrapper?: readonly string[];
  /** How the tests' own commands connect, where host and port do not say it all. */
  readonly connection?: Pick<RedisOptions, "username" | "password" | "tls">;
}

/** What the server prints once it can be used. */
const READY = /Ready to accept connections|\+monitor master/;
const START_TIMEOUT = 20_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  // The last resort, for a runner that was interrupted: each of ours, by its own id.
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a server and waits until it can be used; rejects with what it printed if it cannot. */
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
    // One that is paused takes note of nothing but this.
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
    commandTimeout: 5000,
    connectTimeout: 2000,
    maxRetriesPerRequest: 3,
    // A node may be loading, or a replica that lost its primary.
    enableReadyCheck: false,
    ...connection,
  });
  // Whoever sends a command hears of it.
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

/** Quick to start and to copy, and nothing is written to the disk unless the settings say so. */
function argumentsOf(options: RedisNodeOptions): string[] {
  const { host, port, dir, settings = [], configFile, isSentinel = false } = options;
  const ours: (readonly string[])[] = [
    ["bind", host],
    ["port", String(port)],
    ["dir", dir],
    ["logfile", ""],
    // What was left behind is told by its environment, which the title would be written over.
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
