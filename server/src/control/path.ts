import { lstatSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/*
 * The control socket of a data folder is `control.sock` in that folder. Systems limit the path of a socket to 108 bytes
 * (Linux) or 104 bytes (macOS). If the path would be too long, the socket is in a temporary folder instead, and the
 * file `control.path` in the data folder contains the path of the socket.
 */
const MAX_PATH_BYTES = 100;

function ownPath(dataDir: string): string | undefined {
  const path = join(dataDir, "control.sock");
  return Buffer.byteLength(path) <= MAX_PATH_BYTES ? path : undefined;
}

function pointer(dataDir: string): string {
  return join(dataDir, "control.path");
}

/** Returns the path of the socket of a server on `dataDir`; `undefined` if no server can be running. */
export function socketPath(dataDir: string): string | undefined {
  const path = ownPath(dataDir);
  if (path !== undefined) return path;
  try {
    return readFileSync(pointer(dataDir), "utf8");
  } catch (error) {
    // Any other error, such as missing access rights, does not mean that there is no socket.
    if (!isAbsence(error)) throw error;
    return undefined;
  }
}

function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Returns the path for a new socket; removes that of a killed server. Call it only with the lock on `dataDir`. */
export function claimSocketPath(dataDir: string): string {
  const path = ownPath(dataDir);
  const found = path === undefined ? undefined : lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket()) {
    const message = `${path} exists and is not a socket, so it was not touched. Move it away: the server needs the name`;
    throw Object.assign(new Error(message), { code: "EEXIST" });
  }
  releaseSocketPath(dataDir);
  if (path !== undefined) return path;
  // `mkdtemp` creates a folder that only its owner can enter.
  const distant = join(mkdtempSync(join(tmpdir(), "antechamber-")), "control.sock");
  writeFileSync(pointer(dataDir), distant, { mode: 0o600 });
  return distant;
}

/** Removes the socket of `dataDir`, and the file and the folder that were created for it. */
export function releaseSocketPath(dataDir: string): void {
  const path = socketPath(dataDir);
  if (path === undefined) return;
  rmSync(path, { force: true });
  if (path === ownPath(dataDir)) return;
  rmSync(pointer(dataDir), { force: true });
  try {
    rmdirSync(dirname(path));
  } catch {
    // The folder is already gone, for example after the machine was restarted, or it contains other files.
  }
}
