import { lstatSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/*
 * The control socket of a data folder is `control.sock` in that folder. The path of a socket is limited to 108 bytes on
 * Linux and 104 on macOS. If it would be longer, the socket is in a temporary folder of its own, and the file
 * `control.path` in the data folder has its path.
 */
const MAX_PATH_BYTES = 100;

function ownPath(dataDir: string): string | undefined {
  const path = join(dataDir, "control.sock");
  return Buffer.byteLength(path) <= MAX_PATH_BYTES ? path : undefined;
}

function pointer(dataDir: string): string {
  return join(dataDir, "control.path");
}

/** Returns the path on which a server on `dataDir` listens if it runs; `undefined` if none can be running. */
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
 * Returns the path for a new socket, and removes the socket that a killed server left. Only the holder of the lock on
 * `dataDir` may call it.
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
  // Only its owner can enter a folder that mkdtemp creates.
  const distant = join(mkdtempSync(join(tmpdir(), "antechamber-")), "control.sock");
  writeFileSync(pointer(dataDir), distant, { mode: 0o600 });
  return distant;
}

/** Removes the socket of `dataDir` and everything that was created for it. */
export function releaseSocketPath(dataDir: string): void {
  const path = socketPath(dataDir);
  if (path === undefined) return;
  rmSync(path, { force: true });
  if (path === ownPath(dataDir)) return;
  rmSync(pointer(dataDir), { force: true });
  try {
    rmdirSync(dirname(path));
  } catch {
    // The folder was removed already, as after a restart of the machine, or has other files too.
  }
}
