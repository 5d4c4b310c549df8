// needs: sh, linux

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * A file system that only one mount namespace sees. A process of its own keeps the namespace, and
 * leaves with its standard input: when the test is gone, in whatever way, so is the mount.
 */
export interface PrivateMount extends AsyncDisposable {
  /** The command that runs another one inside: a wrapper for servers. */
  readonly wrapper: readonly string[];
  /** A path below the mount point, as it is reached from outside. */
  outside(path: string): string;
  /** Runs a command inside to its end; throws when it fails. */
  run(...command: string[]): void;
}

/** Mounts what `mountArguments` say (of `mount`); needs root, or user namespaces for a tmpfs. */
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
