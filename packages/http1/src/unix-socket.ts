import { chmodSync, existsSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";

/** The file of a Unix socket, and its permissions. */
export interface SocketFile {
  readonly path: string;
  readonly mode: number;
}

/** A Unix socket that cannot be created at its path. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /** The system's error code. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Removes the socket that a killed server left at `path`. Throws `SocketError` if the path has another kind of file
 * or the socket of a running server, or if its folder does not exist.
 */
export async function claimSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    const folder = dirname(path);
    if (existsSync(folder)) return;
    throw new SocketError("ENOENT", `cannot listen on ${path}: there is no folder ${folder}`);
  }
  if (!found.isSocket()) {
    throw new SocketError("EADDRINUSE", `${path} is there and is no socket: not touched`);
  }
  if (await isListening(path)) {
    throw new SocketError("EADDRINUSE", `another server listens on ${path}`);
  }
  rmSync(path, { force: true });
}

/** Runs `listen`, so that the socket never has wider permissions than these, not even for a moment. */
export function withSocketMode<T>({ path, mode }: SocketFile, listen: () => T): T {
  const before = process.umask(0o777 & ~mode);
  try {
    const result = listen();
    // The file is missing if listening failed, which Node reports later by an event.
    if (existsSync(path)) chmodSync(path, mode);
    return result;
  } finally {
    process.umask(before);
  }
}

/** Removes the socket if the runtime left it. */
export function releaseSocket(path: string): void {
  rmSync(path, { force: true });
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
