// needs: python3-flask

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";

/** An application of `docs/sign-in.md`. */
export interface Application {
  readonly name: string;
  /** The path of the page that shows who is signed in. */
  readonly home: string;
  /** The beginning of the paths of its forms. */
  readonly forms: string;
  /** Whether it gets its sessions from nginx, with the configuration in `examples/nginx`. */
  readonly isBehindNginx: boolean;
  readonly command: (port: number) => readonly [program: string, ...args: string[]];
}

/** An application in a process of its own. */
export interface RunningApplication extends AsyncDisposable {
  readonly port: number;
}

const folder = fileURLToPath(new URL("../../../examples/sign-in/", import.meta.url));
const nextServer = fileURLToPath(new URL("next-server.ts", import.meta.url));
const onNode = { home: "/", forms: "", isBehindNginx: false };

/** All applications of `docs/sign-in.md`. */
export const applications: readonly Application[] = [
  { ...onNode, name: "Express", command: () => [process.execPath, "express.ts"] },
  { ...onNode, name: "Fastify", command: () => [process.execPath, "fastify.ts"] },
  { ...onNode, name: "Next.js", home: "/api/me", forms: "/api", command: () => [process.execPath, nextServer] },
  {
    name: "Flask",
    home: "/",
    forms: "",
    isBehindNginx: true,
    // Debian's Python, which has the packages. Another one may be first on the path.
    command: (port) => ["/usr/bin/python3", "-B", "-m", "flask", "--app", "flask_app", "run", "--port", String(port)],
  },
];

const START_TIMEOUT_MS = 20_000;

/** Starts an application unchanged, and waits until it listens. */
export async function startApplication(
  { name, home, command }: Application,
  antechamber: { readonly url: string; readonly key: string },
): Promise<RunningApplication> {
  const port = await freePort();
  const [program, ...args] = command(port);
  const variables = { PORT: String(port), ANTECHAMBER_URL: antechamber.url, ANTECHAMBER_KEY: antechamber.key };
  const child: ChildProcess = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...variables },
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
    throw error;
  }
  return { port, [Symbol.asyncDispose]: end };
}
