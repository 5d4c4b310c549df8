// needs: strace

import { spawn } from "node:child_process";
import { once } from "node:events";

/*
 * strace kills a server at a chosen system call, or makes its system calls fail. Do not add --seccomp-bpf: with it,
 * strace 6.1 ignores injected signals.
 */

/**
 * Returns the beginning of a command line that runs a server under strace, which kills the server just before the
 * `count`-th of these calls in one of its threads and writes the calls to the file `log`. With -D the started process
 * is the server, and strace runs in the background.
 */
export function killAtCall(calls: string, count: number, log: string): string[] {
  return ["strace", "-D", "-f", "-o", log, ...injection(calls, `signal=KILL:when=${count}`)];
}

/** Makes these system calls of a running server fail with `error`, until the result is disposed of. */
export async function failCalls(pid: number, calls: string, error: string): Promise<AsyncDisposable> {
  const args = ["-f", "-o", "/dev/null", "-p", String(pid), ...injection(calls, `error=${error}`)];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "close");
  ended.catch(() => undefined);
  let said = "";
  await new Promise<void>((resolve, reject) => {
    strace.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("attached")) resolve();
    });
    ended.then(() => reject(new Error(`strace ended: ${said}`)), reject);
  });
  return {
    async [Symbol.asyncDispose]() {
      // On SIGINT strace detaches from the server, which keeps running.
      strace.kill("SIGINT");
      await ended;
    },
  };
}

function injection(calls: string, what: string): string[] {
  return ["-e", `trace=${calls}`, "-e", `inject=${calls}:${what}`];
}
