import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Transport, TransportEvents } from "./http1/transport.ts";
import type { Listening, SocketOptions } from "./sockets.ts";
import { withSocketMode } from "./unix-socket.ts";

/** Listens by `node:net`. */
export async function listen({ host, port, socket, connect }: SocketOptions): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    const transport = new NodeTransport(raw, raw.remoteAddress ?? "");
    if (socket === undefined && transport.peer === "") {
      // Already disconnected. Its request would be carried out without a recipient and without limits by address.
      raw.on("error", () => undefined);
      raw.destroy();
      return;
    }
    listenTo(raw, transport, connect(transport));
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
  // A connection that could not be taken, for want of file descriptors, is no end of the server.
  server.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  return {
    port: socket === undefined ? (server.address() as AddressInfo).port : 0,
    stop: () => void server.close(),
    close: () => closed,
  };
}

function listenTo(raw: Socket, transport: NodeTransport, events: TransportEvents): void {
  raw.on("data", (bytes: Buffer) => events.received(bytes));
  raw.on("drain", () => {
    if (transport.drain()) events.drained();
  });
  raw.on("end", () => events.ended());
  raw.on("close", () => events.closed());
  // The connection is closed with it.
  raw.on("error", () => undefined);
}

/** Copies the bytes into separate memory. */
function joined(...parts: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(whole, at);
  return whole;
}

/** How much is handed to the system at a time: how far it has come with that, nobody can tell. */
const SLICE = 64 * 1024;

class NodeTransport implements Transport {
  /** Read when the connection opens: the address of a connection that was reset is no longer known. */
  readonly peer: string;
  readonly #socket: Socket;
  #pending: Buffer | undefined;

  constructor(socket: Socket, peer: string) {
    this.#socket = socket;
    this.peer = peer;
  }

  get unsent(): number {
    return (this.#pending?.length ?? 0) + this.#socket.writableLength;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    const part = bytes.subarray(start, end);
    if (this.#pending !== undefined) {
      this.#pending = joined(this.#pending, part);
      return false;
    }
    // Bytes that are sent at once are copied into the runtime's pool, which is faster. Bytes that have to wait
    // must not be in the pool: they would pin the whole block until the peer reads them.
    const hasToWait = this.#socket.writableLength > 0;
    return this.#send(hasToWait ? joined(part) : Buffer.from(part));
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

  /** True when all has gone out. */
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
