import type { SocketConfig } from "../config/config.ts";
import type { App } from "./app/app.ts";
import { isForwardAuthTarget } from "./handlers/forward-auth.ts";
import { createHttp1Server, type Http1Server } from "./http1/server.ts";
import { listenError } from "./listen-error.ts";
import { claimSocket, releaseSocket } from "./unix-socket.ts";

/** Where to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** In the place of host and port. */
  readonly socket: SocketConfig | undefined;
  /** How long admitted requests may go on after `close`, milliseconds. */
  readonly shutdownTimeout: number;
  /** Called with what should never happen. */
  defect(error: unknown): void;
}

/** A server that listens. */
export interface Listener {
  /** 0 on a socket. */
  readonly port: number;
  /** How many connections there are. */
  readonly connections: number;
  /** Takes no new connections, lets admitted requests finish, then closes what is left. */
  close(): Promise<void>;
}

/** Serves the application with whatever runtime this is. Rejects when the place is taken. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const runtime =
    "Bun" in globalThis ? await import("./sockets-bun.ts") : await import("./sockets-node.ts");
  const { socket, shutdownTimeout, defect } = options;
  if (socket !== undefined) await claimSocket(socket.path);
  const server = createHttp1Server({
    handle: app.handle,
    refuse: app.refuseUnread,
    hasLongHead: isForwardAuthTarget,
    defect,
  });
  const listening = await Promise.resolve()
    .then(() => runtime.listen({ ...options, connect: server.connect }))
    .catch(async (error: unknown) => {
      server.close();
      throw await listenError(error, options);
    });
  return {
    port: listening.port,
    get connections() {
      return server.connections;
    },
    async close() {
      app.stop();
      listening.stop();
      await quiet(server, shutdownTimeout);
      server.close();
      await listening.close();
      if (socket !== undefined) releaseSocket(socket.path);
    },
  };
}

/** Nothing to do for so long (ms) after the last answer: those who are connected have heard of the end. */
const QUIET = 100;
const POLL = 20;

/** Waits until no request has been under way for a moment, at most `timeout` milliseconds. */
async function quiet(server: Http1Server, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  let quietSince = performance.now();
  while (performance.now() < deadline) {
    if (server.isBusy) quietSince = performance.now();
    else if (performance.now() - quietSince >= QUIET) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
