// needs: python3-flask

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./eventually.ts";
import { freePort } from "./free-ports.ts";

/** An application in a folder below `examples/`, which a test starts unchanged. */
export interface ExampleApplication {
  readonly name: string;
  /** The folder, such as `sign-in`. */
  readonly folder: string;
  /** A path that responds, with whatever status, once the application listens. */
  readonly home: string;
  readonly command: (port: number) => readonly [program: string, ...args: string[]];
}

/** An application in a process of its own. */
export interface RunningApplication extends AsyncDisposable {
  readonly port: number;
}

const START_TIMEOUT_MS = 60_000;

/** Returns the command for a script, on Node. The application gets its port in `PORT`. */
export function onThisRuntime(script: string): ExampleApplication["command"] {
  const patience = new URL("patient-timers.ts", import.meta.url).href;
  return () => [process.execPath, "--import", patience, script];
}

/** The command for `flask_app.py`. It uses Debian's Python, which has the packages; another one may be first on the path. */
export const inFlask: ExampleApplication["command"] = (port) => [
  ...(["/usr/bin/python3", "-B", "-m", "flask", "--app", "flask_app", "run"] as const),
  ...(["--port", String(port)] as const),
];

/** Starts an example on a free port, with `environment`, and waits until it listens. */
export function startExampleApplication(
  { folder, ...application }: ExampleApplication,
  environment: Readonly<Record<string, string>>,
): Promise<RunningApplication> {
  const path = fileURLToPath(new URL(`../../../examples/${folder}/`, import.meta.url));
  return startApplication({ ...application, folder: path }, environment);
}

/** Does the same for an application in any folder, whose path is absolute. */
export async function startApplication(
  { name, folder, home, command }: ExampleApplication,
  environment: Readonly<Record<string, string>>,
): Promise<RunningApplication> {
  const port = await freePort();
  const [program, ...args] = command(port);
  const child: ChildProcess = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, PORT: String(port), ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const closed = once(child, "close");
  const end = async () => {
    child.kill("SIGTERM");
    await closed;
  };
  const responds = () =>
    fetch(`http://127.0.0.1:${port}${home}`).then(
      () => true,
      () => false,
    );
  try {
    await until(`${name} listens`, async () => child.exitCode !== null || (await responds()), START_TIMEOUT_MS);
    assert.equal(child.exitCode, null, errors);
  } catch (error) {
    await end();
    throw new Error(errors, { cause: error });
  }
  return { port, [Symbol.asyncDispose]: end };
}
