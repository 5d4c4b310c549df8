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
  /** The error code of the operating system. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Removes the socket file that a killed server left at `path`. Throws `SocketError` if there is another kind of file or
 * the socket of a running server at `path`, or if the folder of `path` does not exist.
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

/** Runs `listen`, which creates the socket file. The file has the permissions `mode` from the first moment. */
export function withSocketMode<T>({ path, mode }: SocketFile, listen: () => T): T {
  const before = process.umask(0o777 & ~mode);
  try {
    const result = listen();
    // If listening has failed, there is no file. Node reports such a failure later, with an event.
    if (existsSync(path)) chmodSync(path, mode);
    return result;
  } finally {
    process.umask(before);
  }
}

/** Removes the socket file if the runtime has not removed it. */
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
