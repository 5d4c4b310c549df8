import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from "node:net";

/** A request that a receiver got. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
}

/** A receiver of webhooks. */
export interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** The requests so far, in the order of their arrival. */
  readonly received: readonly Received[];
}

/** Starts a receiver that responds with `respond`, by default 204. */
export async function startReceiver(
  respond: (response: ServerResponse, received: Received) => void = (response) => response.writeHead(204).end(),
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString(), path: request.url ?? "" };
      received.push(one);
      respond(response, one);
    });
  });
  server.keepAliveTimeout = 60_000;
  const port = await listen(server);
  const end = async () => {
    server.closeAllConnections();
    await closed(server);
  };
  return { port, url: `http://127.0.0.1:${port}/hook`, received, [Symbol.asyncDispose]: end };
}

/** Starts a server that hands each connection to `serve` after its first bytes. */
export async function startTcpReceiver(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => serve(socket));
  });
  const port = await listen(server);
  const end = async () => {
    for (const socket of sockets) socket.destroy();
    await closed(server);
  };
  return { port, url: `http://127.0.0.1:${port}/hook`, connections: sockets, [Symbol.asyncDispose]: end };
}

async function listen(server: Server | TcpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function closed(server: Server | TcpServer): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}
