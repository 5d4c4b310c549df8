// needs: sh, linux

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * A file system in a mount namespace of its own. A child process keeps the namespace open until its standard input
 * closes, so the mount disappears with the test process, however that ends.
 */
export interface PrivateMount extends AsyncDisposable {
  /** The beginning of a command line that runs the rest of it inside the namespace. */
  readonly wrapper: readonly string[];
  /** Returns the path under which a file below the mount point is accessible from outside. */
  outside(path: string): string;
  /** Runs a command inside the namespace, waits for its end, and throws if it fails. */
  run(...command: string[]): void;
}

/** Runs `mount` with these arguments. Needs root; for a tmpfs, user namespaces suffice. */
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
