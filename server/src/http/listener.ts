import type { SocketConfig } from "../config/config.ts";
import type { App } from "./app.ts";

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** In the place of host and port. */
  readonly socket: SocketConfig | undefined;
  /** How long admitted requests may go on after `close`, milliseconds. */
  readonly shutdownTimeout: number;
}

/** A server that listens. */
export interface Listener {
  /** 0 on a socket. */
  readonly port: number;
  /** Takes no new connections, lets admitted requests finish, then closes what is left. */
  close(): Promise<void>;
}

/** No request for so long (ms) after the last answer: those who are connected have heard of the end. */
const QUIET = 100;
const POLL = 20;

/** Waits until no request has been under way for a moment, at most `timeout` milliseconds. */
export async function drained(app: App, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  let quietSince = performance.now();
  while (performance.now() < deadline) {
    if (app.underWay > 0) quietSince = performance.now();
    else if (performance.now() - quietSince >= QUIET) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
