// needs: sh, linux

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * A file system that only one mount namespace sees. A child process holds the namespace open and exits when its
 * standard input closes, so the mount is gone when the test is, however the test ends.
 */
export interface PrivateMount extends AsyncDisposable {
  /** Command that runs another one inside the namespace: a wrapper for servers. */
  readonly wrapper: readonly string[];
  /** Returns the path by which a path below the mount point is reached from outside. */
  outside(path: string): string;
  /** Runs a command inside the namespace to its end; throws if it fails. */
  run(...command: string[]): void;
}

/** Mounts a file system with these arguments of `mount`. Needs root, or user namespaces for a tmpfs. */
export async function mountPrivately(...mountArguments: string[]): Promise<PrivateMount> {
  const root = process.getuid?.() === 0;
  const script = 'mount "$@" && echo mounted && exec cat';
  const keeper = spawn(
    "unshare",
    ["--mount", ...(root ? [] : ["--map-root-user"]), "sh", "-c", script, "sh", ...mountArguments],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const ended = once(keeper, "close");
  ended.catch(() => undefined);
  await mounted(keeper, ended, mountArguments);
  const user = root ? [] : ["--user", "--preserve-credentials"];
  const wrapper = ["nsenter", "--target", String(keeper.pid), "--mount", ...user, "--"];
  return {
    wrapper,
    outside: (path) => `/proc/${keeper.pid}/root${path}`,
    run(...command) {
      const [program = "", ...args] = [...wrapper, ...command];
      execFileSync(program, args, { stdio: "pipe" });
    },
    async [Symbol.asyncDispose]() {
      keeper.stdin.end();
      await ended;
    },
  };
}

async function mounted(
  keeper: ChildProcess,
  ended: Promise<unknown>,
  mountArguments: readonly string[],
): Promise<void> {
  let complaint = "";
  keeper.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const first = keeper.stdout === null ? ended : once(keeper.stdout, "data");
  const failed = ended.then(() => {
    throw new Error(`mount ${mountArguments.join(" ")}: ${complaint.trim()}`);
  });
  await Promise.race([first, failed]);
  failed.catch(() => undefined);
}
