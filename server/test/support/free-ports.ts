import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/*
 * Ports for servers that a test stops and starts again. The system gives clients only ports from 32768 on, so a lower
 * port is still free when its server starts again.
 */

const LOWEST = 12_000;
const HIGHEST = 32_000;

const given = new Set<number>();

/** Returns a port of `host` that nobody listens on, a different one each time. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!given.has(port) && (await isFree(host, port))) {
      given.add(port);
      return port;
    }
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
