import { lstatSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/*
 * Where the control socket of a data folder lies: `control.sock` in it. The path of a socket has
 * little room (108 bytes on Linux, 104 on macOS), so for a longer one the socket lies in a folder of
 * its own among the temporary ones, and `control.path` in the data folder says where.
 */
const MAX_PATH_BYTES = 100;

function ownPath(dataDir: string): string | undefined {
  const path = join(dataDir, "control.sock");
  return Buffer.byteLength(path) <= MAX_PATH_BYTES ? path : undefined;
}

function pointer(dataDir: string): string {
  return join(dataDir, "control.path");
}

/** Where a server on `dataDir`, if one runs, listens; `undefined` when none can. */
export function socketPath(dataDir: string): string | undefined {
  const path = ownPath(dataDir);
  if (path !== undefined) return path;
  try {
    return readFileSync(pointer(dataDir), "utf8");
  } catch (error) {
    // A socket without access rights may still exist.
    if (!isAbsence(error)) throw error;
    return undefined;
  }
}

function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * Makes room for a server's socket and takes away what a killed one left. Only for whoever holds the
 * lock on `dataDir`.
 */
export function claimSocketPath(dataDir: string): string {
  const path = ownPath(dataDir);
  const found = path === undefined ? undefined : lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket()) {
    const message = `${path} exists and is not a socket, so it was not touched. Move it away: the server needs the name`;
    throw Object.assign(new Error(message), { code: "EEXIST" });
  }
  releaseSocketPath(dataDir);
  if (path !== undefined) return path;
  // mkdtemp makes folders that only their owner can enter.
  const distant = join(mkdtempSync(join(tmpdir(), "antechamber-")), "control.sock");
  writeFileSync(pointer(dataDir), distant, { mode: 0o600 });
  return distant;
}

/** Takes away the socket of `dataDir` and everything made for it. */
export function releaseSocketPath(dataDir: string): void {
  const path = socketPath(dataDir);
  if (path === undefined) return;
  rmSync(path, { force: true });
  if (path === ownPath(dataDir)) return;
  rmSync(pointer(dataDir), { force: true });
  try {
    rmdirSync(dirname(path));
  } catch {
    // Gone already, as after a restart of the machine, or not ours alone.
  }
}
