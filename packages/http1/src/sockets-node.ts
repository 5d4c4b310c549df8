import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Listening, SocketOptions } from "./sockets.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { withSocketMode } from "./unix-socket.ts";
import { unpooledCopy } from "./unpooled.ts";

/** Listens with `node:net`. */
export async function listen({ host, port, socket, connect }: SocketOptions): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    const transport = new NodeTransport(raw, raw.remoteAddress ?? "");
    if (socket === undefined && transport.peer === "") {
      // The client has already disconnected. Its request would escape the limits by address.
      raw.on("error", () => undefined);
      raw.destroy();
      return;
    }
    forwardEvents(raw, transport, connect(transport));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    if (socket === undefined) server.listen(port, host);
    else withSocketMode(socket, () => server.listen(socket.path));
  });
  // A connection that is not accepted, for lack of file descriptors, must not end the server.
  server.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  return {
    port: socket === undefined ? (server.address() as AddressInfo).port : 0,
    stop: () => void server.close(),
    close: () => closed,
  };
}

function forwardEvents(raw: Socket, transport: NodeTransport, events: TransportEvents): void {
  raw.on("data", (bytes: Buffer) => events.received(bytes));
  raw.on("drain", () => {
    if (transport.drain()) events.drained();
  });
  raw.on("end", () => events.ended());
  raw.on("close", () => events.closed());
  // A `close` event follows.
  raw.on("error", () => undefined);
}

/** The maximum bytes of one write. Node reports only complete writes, so a whole body in one could look stalled. */
const SLICE = 64 * 1024;

class NodeTransport implements Transport {
  /** Read when the connection opens, since a reset connection has no address any more. */
  readonly peer: string;
  readonly #socket: Socket;
  #pending: Buffer | undefined;

  constructor(socket: Socket, peer: string) {
    this.#socket = socket;
    this.peer = peer;
  }

  get bufferedBytes(): number {
    return (this.#pending?.length ?? 0) + this.#socket.writableLength;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    const part = bytes.subarray(start, end);
    if (this.#pending !== undefined) {
      this.#pending = unpooledCopy(this.#pending, part);
      return false;
    }
    // Bytes that are sent at once are copied into the runtime's pool, which is faster. Bytes that have to wait
    // must not be in the pool: they would pin the whole block until the peer reads them.
    const hasToWait = this.#socket.writableLength > 0;
    return this.#send(hasToWait ? unpooledCopy(part) : Buffer.from(part));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Continues sending; returns true if nothing is left. */
  drain(): boolean {
    const pending = this.#pending;
    this.#pending = undefined;
    return pending === undefined || this.#send(pending);
  }

  #send(bytes: Buffer): boolean {
    for (let start = 0; start < bytes.length; start += SLICE) {
      if (this.#socket.write(bytes.subarray(start, start + SLICE))) continue;
      const rest = bytes.subarray(start + SLICE);
      if (rest.length > 0) this.#pending = rest;
      return false;
    }
    return true;
  }
}
