import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

/*
 * Ports for servers that a test stops and starts again. The system gives clients only ports from 32768 on, so a lower
 * port is still free when its server starts again. Test files run at the same time, so each process reserves its ports: as
 * long as it runs, it has UDP sockets with the same numbers.
 */

const LOWEST = 12_000;
const HIGHEST = 32_000;

/** Returns a port of `host` that nobody listens on, a different one each time. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if ((await isFree(host, port)) && (await reserve(port))) return port;
  }
}

/** Reserves a port until this process ends. Returns false if a process has reserved it already. */
async function reserve(port: number): Promise<boolean> {
  const socket = createSocket("udp4").unref();
  try {
    socket.bind({ port, address: "127.0.0.1", exclusive: true });
    await once(socket, "listening");
    return true;
  } catch {
    socket.close();
    return false;
  }
}

/** Returns whether nobody listens on a port of `host`. */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch {
    return false;
  }
}
