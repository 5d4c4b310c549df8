import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * How a front treats connections. `hang`: it takes everything and never answers. `swallow`: requests
 * reach the service, its answers do not come back.
 */
export type Condition = "pass" | "hang" | "refuse" | "unavailable" | "swallow";

/** Stands before a service, at an address that stays the same while the service is out of order. */
export interface Front extends AsyncDisposable {
  readonly url: string;
  /** Connections that there are end, so that the next request meets the new condition. */
  become(condition: Condition): void;
  /** Connections taken so far. */
  connections(): number;
}

const UNAVAILABLE =
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/** A front for the service on a port of this machine. */
export async function openFront(port: number): Promise<Front> {
  const sockets = new Set<Socket>();
  let condition: Condition = "pass";
  let taken = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Resets are what this is about.
    socket.on("error", () => socket.destroy());
  };
  const server = createServer((socket) => {
    taken += 1;
    keep(socket);
    if (condition === "refuse") socket.destroy();
    else if (condition === "hang") socket.resume();
    else if (condition === "unavailable") socket.once("data", () => socket.end(UNAVAILABLE));
    else {
      const upstream = connect({ port, host: "127.0.0.1" });
      keep(upstream);
      socket.pipe(upstream);
      if (condition === "swallow") upstream.once("data", () => socket.destroy());
      else upstream.pipe(socket);
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become(next) {
      condition = next;
      cut();
    },
    connections: () => taken,
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
