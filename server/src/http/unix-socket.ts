import { chmodSync, existsSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import type { SocketConfig } from "../config/config.ts";

/** A socket that cannot be made where it is to be. */
class SocketError extends Error {
  override readonly name = "SocketError";
  /** What the system says of it. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Makes room for a socket: takes away the one that a killed server left. Throws `SocketError` when
 * something else lies there, or a server that answers, or when there is no folder for it.
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

/** Runs `listen`, which makes the socket; nobody whom its mode shuts out can open it meanwhile. */
export function withSocketMode<T>({ path, mode }: SocketConfig, listen: () => T): T {
  const before = process.umask(0o777 & ~mode);
  try {
    const result = listen();
    // Not there: Node tells of it later, by an event.
    if (existsSync(path)) chmodSync(path, mode);
    return result;
  } finally {
    process.umask(before);
  }
}

/** Takes the socket away, if the runtime left it. */
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
