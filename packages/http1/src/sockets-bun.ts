import type { Socket, TCPSocketListener, UnixSocketListener } from "bun";
import type { Listening, SocketOptions } from "./sockets.ts";
import type { Transport, TransportEvents } from "./transport.ts";
import { withSocketMode } from "./unix-socket.ts";

/** Listens with `Bun.listen`. */
export function listen({ host, port, socket, connect }: SocketOptions): Listening {
  const shared = {
    allowHalfOpen: true,
    socket: handlers(connect, socket === undefined),
  };
  const listener: TCPSocketListener<BunTransport> | UnixSocketListener<BunTransport> =
    socket === undefined
      ? Bun.listen<BunTransport>({ ...shared, hostname: host, port })
      : withSocketMode(socket, () => Bun.listen<BunTransport>({ ...shared, unix: socket.path }));
  return {
    port: "port" in listener ? listener.port : 0,
    stop: () => listener.stop(false),
    close: () => Promise.resolve(listener.stop(true)),
  };
}

function handlers(connect: SocketOptions["connect"], hasAddresses: boolean) {
  return {
    open(socket: Socket<BunTransport>) {
      const transport = new BunTransport(socket, hasAddresses ? addressOf(socket) : "");
      socket.data = transport;
      if (hasAddresses && transport.peer === "") {
        // The client has disconnected, so its address is unknown. No limit by address could apply to its requests.
        socket.terminate();
        return;
      }
      // Switches off Nagle's algorithm: each response is one write, so waiting for more would only delay it.
      socket.setNoDelay(true);
      transport.events = connect(transport);
    },
    data: (socket: Socket<BunTransport>, bytes: Buffer) => socket.data.events?.received(bytes),
    drain: (socket: Socket<BunTransport>) => socket.data.drain(),
    end: (socket: Socket<BunTransport>) => socket.data.ended(),
    close: (socket: Socket<BunTransport>) => socket.data.closed(),
    error: (socket: Socket<BunTransport>) => socket.data.destroy(),
  };
}

function addressOf(socket: Socket<BunTransport>): string {
  return socket.remoteAddress ?? "";
}

class BunTransport implements Transport {
  events: TransportEvents | undefined;
  /** The address is read when the connection opens, because a connection that was reset has no address any more. */
  readonly peer: string;
  readonly #socket: Socket<BunTransport>;
  #pending: Buffer | undefined;
  #hasPeerEnded = false;
  #isClosed = false;

  constructor(socket: Socket<BunTransport>, peer: string) {
    this.#socket = socket;
    this.peer = peer;
  }

  get bufferedBytes(): number {
    return this.#pending?.length ?? 0;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isClosed) return true;
    if (this.#pending !== undefined) {
      this.#pending = Buffer.concat([this.#pending, bytes.subarray(start, end)]);
      return false;
    }
    const written = Math.max(0, this.#socket.write(bytes, start, end - start));
    if (start + written === end) return true;
    this.#pending = Buffer.from(bytes.subarray(start + written, end));
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#hasPeerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }

  destroy(): void {
    if (!this.#isClosed) this.#socket.end();
  }

  drain(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    const written = Math.max(0, this.#socket.write(pending));
    if (written < pending.length) {
      this.#pending = pending.subarray(written);
      return;
    }
    this.#pending = undefined;
    this.events?.drained();
  }

  ended(): void {
    this.#hasPeerEnded = true;
    this.events?.ended();
  }

  closed(): void {
    this.#isClosed = true;
    this.events?.closed();
  }
}
