import type { Carrier, TimedCommand } from "./command.ts";
import type { NewConnection, NodeClient } from "./node-client.ts";

/** A client of Redis. After it has connected, it reconnects until it is closed. */
export interface Client {
  /** Whether commands can be sent to a server, or to at least one node of a cluster. */
  readonly isReady: boolean;
  /** Sends a command to the server that has `key`. Rejects it at once if there is no connection to this server. */
  send(command: TimedCommand, key: string): void;
  /** Returns the client of the server that has `key`; `undefined` if no node of the cluster serves its slot. */
  nodeOf(key: string): NodeClient | undefined;
  /** Returns the clients of all primaries by their addresses. */
  primaries(): ReadonlyMap<string, NodeClient>;
  /** Finds out whether another server is the primary, or which nodes of a cluster serve which slots. */
  refresh(): void;
  /** Connects anew, because the server at the other end of `carrier` has become a replica. */
  leave(carrier: Carrier | undefined): void;
  /** Calls `inspect` with each new connection to a node of a cluster, before other commands are sent on it. */
  inspectConnections(inspect: (connection: NewConnection) => Promise<void>): void;
  close(): void;
}
