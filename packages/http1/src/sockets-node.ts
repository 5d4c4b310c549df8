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
      // The client has disconnected, so its address is unknown. No limit by address could apply to its requests.
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
  // Without free file descriptors, connections cannot be accepted. That error must not end the server.
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
  // The event `close` follows, which ends the connection.
  raw.on("error", () => undefined);
}

/**
 * The maximum number of bytes in one write. Node reports a write only when it is complete. If a long body were one
 * write, it would look as if the peer read nothing for a long time.
 */
const SLICE = 64 * 1024;

class NodeTransport implements Transport {
  /** The address is read when the connection opens, because a connection that was reset has no address any more. */
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
    // Bytes that are sent at once are copied into the runtime's pool, which is faster. Bytes that have to wait must not
    // be in the pool: they would keep a whole block in memory until the peer reads them.
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

  /** Continues to send the pending bytes. Returns true if none are left. */
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
