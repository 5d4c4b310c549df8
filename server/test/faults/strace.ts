// needs: strace

import { spawn } from "node:child_process";
import { once } from "node:events";

/*
 * strace stands between a server and the kernel: it kills the server at a chosen system call, or makes calls fail.
 * Never use --seccomp-bpf: it is faster, but strace 6.1 then ignores injected signals.
 */

/**
 * Returns a wrapper that starts a server under strace and kills it with SIGKILL when one of its threads makes the
 * `count`-th of these calls, before the call is carried out. strace stays in the background (-D), so the process that
 * was started is the server itself. `log` receives the calls.
 */
export function killAtCall(calls: string, count: number, log: string): string[] {
  return ["strace", "-D", "-f", "-o", log, ...injection(calls, `signal=KILL:when=${count}`)];
}

/** Makes calls of a running server fail until the result is disposed of. */
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
