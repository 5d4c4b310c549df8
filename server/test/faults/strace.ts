// needs: strace

import { spawn } from "node:child_process";
import { once } from "node:events";

/*
 * strace stands between a server and the kernel: it kills the server at a chosen system call, or has
 * calls fail. Never with --seccomp-bpf, which is quicker, but in strace 6.1 ignores injected signals.
 */

/**
 * The wrapper that starts a server under strace and kills it, as by kill -9, when a thread of it
 * enters its `count`-th of these calls, which is then never made. strace stays in the background
 * (-D): the process that was started is the server itself. `log` gets the calls.
 */
export function killAtCall(calls: string, count: number, log: string): string[] {
  return ["strace", "-D", "-f", "-o", log, ...injection(calls, `signal=KILL:when=${count}`)];
}

/** Calls of a running server that fail for as long as this is not disposed of. */
export async function failCalls(
  pid: number,
  calls: string,
  error: string,
): Promise<AsyncDisposable> {
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
      // On SIGINT strace lets go of the server, which runs on.
      strace.kill("SIGINT");
      await ended;
    },
  };
}

function injection(calls: string, what: string): string[] {
  return ["-e", `trace=${calls}`, "-e", `inject=${calls}:${what}`];
}
