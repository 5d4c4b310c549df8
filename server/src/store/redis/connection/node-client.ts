import type { ConnectionOptions } from "node:tls";
import type { Carrier, TimedCommand } from "./command.ts";
import { faultOf, RedisFault } from "./faults.ts";
import { NodeConnection } from "./node-connection.ts";
import type { Address } from "./place.ts";
import { check, type Expectation } from "./ready-check.ts";

/** Options to connect to a server. */
export interface NodeOptions extends Expectation {
  /** Returns the options of TLS, for each connection anew; `undefined` without TLS. */
  readonly tls: (() => ConnectionOptions) | undefined;
}

/** A connection on which no other commands are sent yet. */
export type NewConnection = Carrier & Pick<NodeConnection, "call">;

/** Reports of a `NodeClient`. */
export interface NodeEvents {
  /** A new connection is checked. Commands are sent on it when the promise is fulfilled. */
  connected?(connection: NewConnection): Promise<void>;
  /** The client has connected, and the connection is checked. */
  ready(): void;
  /** The client has lost its connection, or an attempt to connect has failed. It tries again. */
  failed(fault: RedisFault): void;
}

/** Returns the time (ms) to wait before an attempt to connect. */
const retryPause = (attempt: number) => Math.min(50 * attempt, 500);

/**
 * A client of one Redis server, which keeps a checked connection to it:
 *
 *   connecting --checked--> ready --lost, `leave`--> connecting
 *   connecting --failed--> pausing --> connecting
 */
export class NodeClient {
  readonly #locate: () => Promise<Address>;
  readonly #options: NodeOptions;
  readonly #events: NodeEvents;
  /** The last connection. */
  #connection: NodeConnection | undefined;
  #isReady = false;
  #isClosed = false;
  /** The reason why the client is not ready. */
  #fault = new RedisFault("", "the connection is being made");
  /** The fault of commands while the client is not ready. One object for all, because there may be many commands. */
  #refusal = notConnected(this.#fault);
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Promise that is fulfilled when the last attempt to connect has succeeded or failed. */
  #attempt: Promise<void>;

  /** Begins to connect. `locate` returns the address; it is called before each attempt. */
  constructor(locate: () => Promise<Address>, options: NodeOptions, events: NodeEvents) {
    this.#locate = locate;
    this.#options = options;
    this.#events = events;
    this.#attempt = this.#connect();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** The last connection. */
  get connection(): Carrier | undefined {
    return this.#connection;
  }

  /** The reason why the client is not ready. */
  get fault(): RedisFault {
    return this.#fault;
  }

  /** Waits until the last attempt to connect has succeeded or failed. */
  settled(): Promise<void> {
    return this.#attempt;
  }

  /** Sends a command. Rejects it at once if the client is not ready, so that no command outlasts an outage. */
  send(command: TimedCommand): void {
    if (this.#isReady) (this.#connection as NodeConnection).send(command);
    else command.reject(this.#refusal);
  }

  /** Sends a command that finds out where data are. Rejects with a `RedisFault`. */
  async call(...words: string[]): Promise<unknown> {
    if (!this.#isReady) throw this.#fault;
    return (this.#connection as NodeConnection).call(...words);
  }

  /** Connects anew if `carrier` is the current connection, which is closed when its commands have their replies. */
  leave(carrier: Carrier | undefined): void {
    if (!this.#isReady || carrier !== this.#connection) return;
    this.#connection?.end();
    this.#lose(new RedisFault("", "the server is not the primary any more"));
  }

  /** Stops connecting, and closes the connection when its commands have their replies. */
  retire(): void {
    this.#stop();
    if (this.#isReady) this.#connection?.end();
    else this.#connection?.destroy();
  }

  /** Stops connecting, and closes the connection now. */
  close(): void {
    this.#stop();
    this.#connection?.destroy(new RedisFault("", "the connection to Redis was closed"));
  }

  #stop(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #connect(): Promise<void> {
    try {
      const address = await this.#locate();
      if (this.#isClosed) return;
      const connection = new NodeConnection(address, this.#options.tls?.());
      this.#connection = connection;
      await check(connection, this.#options).catch((error: unknown) => {
        connection.destroy();
        throw error;
      });
      await this.#events.connected?.(connection);
      if (this.#isClosed) return;
      this.#isReady = true;
      this.#failures = 0;
      void this.#watch(connection);
      this.#events.ready();
    } catch (error) {
      this.#lose(faultOf(error));
    }
  }

  async #watch(connection: NodeConnection): Promise<void> {
    const fault = await connection.closed;
    if (this.#connection === connection && this.#isReady) this.#lose(fault);
  }

  #lose(fault: RedisFault): void {
    if (this.#isClosed) return;
    this.#isReady = false;
    this.#fault = fault;
    this.#refusal = notConnected(fault);
    this.#timer = setTimeout(
      () => {
        this.#attempt = this.#connect();
      },
      retryPause(++this.#failures),
    );
    this.#events.failed(fault);
  }
}

function notConnected({ code, message }: RedisFault): RedisFault {
  return new RedisFault(code, `not connected to Redis: ${message}`);
}
