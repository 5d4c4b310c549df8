// needs: nothing

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-ports.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";

/** Ports of the services behind a proxy. */
export interface Ports {
  readonly antechamber: number;
  readonly application: number;
}

/** A real proxy with the example's configuration; `await using` ends it and removes its folder. */
export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
  /** Its output so far. */
  log(): string;
}

/** How to start one of the proxies. */
export interface ProxyProgram {
  /** Its folder in `examples/`. */
  readonly example: string;
  /** A file that includes the example, because the example is not a whole configuration. */
  readonly main: { readonly name: string; readonly text: string };
  readonly command: (folder: string) => readonly [program: string, ...args: string[]];
  readonly env?: (folder: string) => Readonly<Record<string, string>>;
}

/** Changes an example's text, such as by removing a line. */
export type Edit = (text: string) => string;

const examples = fileURLToPath(new URL("../../../examples/", import.meta.url));

/** Enables the lines, commented out in the examples, that let requests through while Antechamber is unavailable. */
export const allowWithoutAntechamber: Edit = (text) => text.replaceAll("# away: ", "");

/** The ports in the examples. */
const examplePorts = { listen: ":8000", antechamber: ":8080", application: ":3000" } as const;

const ATTEMPTS = 5;
const START_TIMEOUT = 60_000;

/** Changes the time limits of an example to a minute, which a busy machine keeps. */
const patient: Edit = (text) => text.replaceAll(/(_timeout) [12]s\b/g, "$1 60s");

/**
 * Starts a proxy on a free port with the files of its example, in which the ports are replaced, and the time limits unless
 * `keepsTimeouts`.
 */
export async function startProxy(
  program: ProxyProgram,
  ports: Ports,
  edit: Edit = (text) => text,
  { keepsTimeouts = false } = {},
): Promise<RunningProxy> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const folder = temporaryDirectory();
    writeExample(program, { ...ports, listen: port }, folder.path, (text) =>
      edit(keepsTimeouts ? text : patient(text)),
    );
    const proxy = await run(program, port, folder);
    if (proxy !== undefined) return proxy;
    // Another process may have taken the port in the meantime.
    if (attempt === ATTEMPTS) throw new Error(`${program.example} does not start`);
  }
}

function writeExample(
  { example, main }: ProxyProgram,
  ports: Record<keyof typeof examplePorts, number>,
  folder: string,
  edit: Edit,
): void {
  cpSync(join(examples, example), folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    let text = edit(readFileSync(file, "utf8"));
    for (const [who, port] of Object.entries(examplePorts)) {
      const pattern = new RegExp(`${port}\\b`, "g");
      text = text.replaceAll(pattern, `:${ports[who as keyof typeof examplePorts]}`);
    }
    writeFileSync(file, text);
  }
  writeFileSync(join(folder, main.name), main.text);
}

async function run(program: ProxyProgram, port: number, folder: TemporaryDirectory): Promise<RunningProxy | undefined> {
  const [command, ...args] = program.command(folder.path);
  const child = spawn(command, args, {
    cwd: folder.path,
    env: { ...process.env, ...program.env?.(folder.path) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  }
  const closed = once(child, "close").catch((error: unknown) => {
    log += String(error);
  });
  const end = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 5000);
    await closed;
    clearTimeout(late);
    folder.remove();
  };
  if (await listens(child, port)) return { port, log: () => log, [Symbol.asyncDispose]: end };
  await end();
  if (/in use/i.test(log)) return undefined;
  throw new Error(`${program.example} does not start: ${log}`);
}

/** Waits until the port accepts connections. Returns false if the process has ended, or after a time limit. */
async function listens(child: ChildProcess, port: number): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (child.pid === undefined) return false;
    if (await connects(port)) return child.exitCode === null;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
