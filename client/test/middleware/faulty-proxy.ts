import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * The behaviour of the proxy. `hang`: never responds. `swallow`: forwards requests and drops the responses. `foreign`:
 * responds like another program, with JSON.
 */
export type Fault = "pass" | "hang" | "refuse" | "unavailable" | "swallow" | "foreign";

/** A proxy in front of a service. It keeps its address while the service seems to be down. */
export interface FaultyProxy extends AsyncDisposable {
  readonly url: string;
  /** Sets the behaviour, and closes all connections, so that the next request is affected. */
  setFault(fault: Fault): void;
  /** Returns the number of accepted connections. */
  connections(): number;
}

const UNAVAILABLE =
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const FOREIGN = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/** Starts a proxy in front of the service on a port of this machine. */
export async function startFaultyProxy(port: number): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  let fault: Fault = "pass";
  let accepted = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Tests reset connections on purpose. Without a handler, the error would end the process.
    socket.on("error", () => socket.destroy());
  };
  const server = createServer((socket) => {
    accepted += 1;
    keep(socket);
    if (fault === "refuse") socket.destroy();
    else if (fault === "hang") socket.resume();
    else if (fault === "unavailable") socket.once("data", () => socket.end(UNAVAILABLE));
    else if (fault === "foreign") socket.once("data", () => socket.end(FOREIGN));
    else {
      const upstream = connect({ port, host: "127.0.0.1" });
      keep(upstream);
      socket.pipe(upstream);
      if (fault === "swallow") upstream.once("data", () => socket.destroy());
      else upstream.pipe(socket);
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const closeAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFault(next) {
      fault = next;
      closeAll();
    },
    connections: () => accepted,
    async [Symbol.asyncDispose]() {
      closeAll();
      server.close();
      await once(server, "close");
    },
  };
}
