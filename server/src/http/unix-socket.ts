import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { SocketConfig } from "../config/config.ts";

/** A socket that cannot be made where it is to be. */
class SocketError extends Error {
  override readonly name = "SocketError";
  /** What the system says of an address that is taken. */
  readonly code = "EADDRINUSE";
}

/**
 * Makes room for a socket: takes away the one that a killed server left. Throws `SocketError` when
 * something else lies there, or a server that answers.
 */
export async function claimSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new SocketError(`${path} is there and is no socket: not touched`);
  if (await isListening(path)) throw new SocketError(`another server listens on ${path}`);
  rmSync(path, { force: true });
}

/** Runs `listen`, which makes the socket; nobody whom its mode shuts out can open it meanwhile. */
export function withSocketMode<T>({ path, mode }: SocketConfig, listen: () => T): T {
  const before = process.umask(0o777 & ~mode);
  try {
    const result = listen();
    chmodSync(path, mode);
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
