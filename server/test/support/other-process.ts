// needs: sh

import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TestServer, TestServerOptions } from "./in-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export { keyFor, type TestKey } from "./test-keys.ts";

/*
 * Starts the servers of `in-process.ts` for tests on a runtime that the service does not support. The servers run in
 * one other process, on the runtime that ANTECHAMBER_RUNTIME names, and end with the test's process.
 */

/** A call to the other process. Its result is written to `file`. */
export interface RemoteCall {
  readonly server: number;
  readonly name: "start" | "stop" | "close" | "restart" | "pass" | "step" | "now" | "log";
  readonly argument: unknown;
  readonly file: string;
}

/** The result of a call. */
export interface RemoteResult {
  readonly value?: unknown;
  readonly error?: string;
}

type Place = Pick<TestServer, "url" | "port" | "dataDir">;

/** The timeout, in milliseconds, of a call that blocks the test. */
const CALL_TIMEOUT = 30_000;

let host: ChildProcess | undefined;
let servers = 0;
let calls = 0;
let waiting = 0;
const results = temporaryDirectory();
process.on("exit", () => {
  host?.kill("SIGKILL");
  results.remove();
});

/** The other process, started by the first call. */
function hostProcess(): ChildProcess {
  if (host !== undefined) return host;
  // Paths are relative to the repository, where tests are started, because a test may run from a compiled copy.
  const wanted = process.env["ANTECHAMBER_RUNTIME"] ?? "node";
  const runtime = execFileSync(join(process.cwd(), "scripts", "runtime"), [wanted]);
  host = fork(resolve("server/test/support/other-process-host.ts"), {
    execPath: runtime.toString().trim(),
    execArgv: [],
  });
  // The other process must not keep the test's process from ending.
  host.unref();
  host.channel?.unref();
  return host;
}

function send(server: number, name: RemoteCall["name"], argument?: unknown): string {
  calls += 1;
  const file = join(results.path, String(calls));
  const message: RemoteCall = { server, name, argument, file };
  hostProcess().send(message);
  return file;
}

function resultIn(file: string): unknown {
  const { value, error } = JSON.parse(readFileSync(file, "utf8")) as RemoteResult;
  if (error !== undefined) throw new Error(error);
  return value;
}

/** Makes a call and blocks until its result is there, like a call in the same process. */
function callNow(server: number, name: RemoteCall["name"], argument?: unknown): unknown {
  const file = send(server, name, argument);
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !existsSync(file); waited++) {
    if (waited > CALL_TIMEOUT) throw new Error(`no answer to ${name}`);
    Atomics.wait(cell, 0, 0, 1);
  }
  return resultIn(file);
}

async function call(server: number, name: RemoteCall["name"], argument?: unknown) {
  const file = send(server, name, argument);
  const process = hostProcess();
  waiting += 1;
  process.channel?.ref();
  try {
    while (!existsSync(file)) await once(process, "message");
  } finally {
    waiting -= 1;
    // The channel may keep the test's process alive only while a call is waiting.
    if (waiting === 0) process.channel?.unref();
  }
  return resultIn(file);
}

/** Starts a server on a free port; `await using` stops it and removes its data. */
export async function serve(options: TestServerOptions = {}): Promise<TestServer> {
  servers += 1;
  const server = servers;
  let place = (await call(server, "start", options)) as Place;
  return {
    get url() {
      return place.url;
    },
    get port() {
      return place.port;
    },
    dataDir: place.dataDir,
    log: () => callNow(server, "log") as string,
    pass: (milliseconds) => void callNow(server, "pass", milliseconds),
    step: (milliseconds) => void callNow(server, "step", milliseconds),
    now: () => callNow(server, "now") as number,
    async stop() {
      await call(server, "stop");
    },
    async restart() {
      place = (await call(server, "restart")) as Place;
    },
    async [Symbol.asyncDispose]() {
      await call(server, "close");
    },
  };
}
