import type { SocketConfig } from "../config/config.ts";
import type { Transport, TransportEvents } from "./http1/transport.ts";

/** Where a runtime is to listen, and who takes the connections. */
export interface SocketOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** In the place of host and port. */
  readonly socket: SocketConfig | undefined;
  connect(transport: Transport): TransportEvents;
}

/** A socket that listens. */
export interface Listening {
  /** 0 on a Unix socket. */
  readonly port: number;
  /** Takes no new connections. */
  stop(): void;
  /** After `stop`, and when all connections have been ended. */
  close(): Promise<void>;
}
