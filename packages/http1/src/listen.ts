import { createServer, type Handler, type Server, type ServerOptions } from "./server.ts";
import type { Address } from "./sockets.ts";
import { claimSocket, releaseSocket } from "./unix-socket.ts";

export interface ListenOptions extends Address, ServerOptions {
  /** How long requests may continue after `close`, in milliseconds. */
  readonly shutdownTimeout: number;
}

/** A server that listens. */
export interface Listener {
  /** The port; 0 on a Unix socket. */
  readonly port: number;
  /** The number of connections. */
  readonly connections: number;
  /** Stops accepting connections, waits for requests until `shutdownTimeout`, then closes all connections. */
  close(): Promise<void>;
}

/** Listens and serves requests on Bun or Node. Rejects with the runtime's error or `SocketError`. */
export async function listen(handle: Handler, options: ListenOptions): Promise<Listener> {
  const runtime = "Bun" in globalThis ? await import("./sockets-bun.ts") : await import("./sockets-node.ts");
  const { socket, shutdownTimeout } = options;
  if (socket !== undefined) await claimSocket(socket.path);
  const server = createServer(handle, options);
  const listening = await Promise.resolve()
    .then(() => runtime.listen({ ...options, connect: server.connect }))
    .catch((error: unknown) => {
      server.close();
      throw error;
    });
  return {
    port: listening.port,
    get connections() {
      return server.connections;
    },
    async close() {
      listening.stop();
      await quiet(server, shutdownTimeout);
      server.close();
      await listening.close();
      if (socket !== undefined) releaseSocket(socket.path);
    },
  };
}

/** How long (ms) no request must be in progress before connections are closed: clients may still read responses. */
const QUIET = 100;
const POLL = 20;

/** Waits until no request was in progress for `QUIET` ms, or until `timeout` ms have passed. */
async function quiet(server: Server, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  let quietSince = performance.now();
  while (performance.now() < deadline) {
    if (server.isBusy) quietSince = performance.now();
    else if (performance.now() - quietSince >= QUIET) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
