import type { Transport, TransportEvents } from "./transport.ts";
import type { SocketFile } from "./unix-socket.ts";

/** The address to listen on. */
export interface Address {
  readonly host: string;
  /** The port; 0 chooses a free one. */
  readonly port: number;
  /** A Unix socket, used instead of host and port. */
  readonly socket?: SocketFile | undefined;
}

/** The address to listen on, and the function that serves each connection. */
export interface SocketOptions extends Address {
  connect(transport: Transport): TransportEvents;
}

/** A listening socket. */
export interface Listening {
  /** The port; 0 on a Unix socket. */
  readonly port: number;
  /** Accepts no new connections. */
  stop(): void;
  /** Resolves when all connections have ended; call `stop` first. */
  close(): Promise<void>;
}
