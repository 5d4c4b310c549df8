import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { assertionHeader, folded, identityHeaders } from "./aliases.ts";

/** A request as the application behind the proxy has received it. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  /** Name and value of every header, in order, with duplicates; one character per byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/**
 * The application behind the proxy. It stores each request and responds with 200 and its own cookie. It accepts every
 * upgrade and then echoes the bytes that it receives.
 */
export interface Application extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly ReceivedRequest[];
  /** Returns the requests that arrived since the last call. */
  take(): ReceivedRequest[];
}

/** Starts the application on a free port. `answer` contains its response headers, such as an identity. */
export async function startApplication(
  answer: Readonly<Record<string, string | string[]>> = { "set-cookie": "basket=7; Path=/" },
): Promise<Application> {
  const requests: ReceivedRequest[] = [];
  // More than any proxy passes on, so that the proxy's limit is what is tested.
  const server = createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      requests.push({
        method: request.method ?? "",
        url: request.url ?? "",
        headers: pairs(request.rawHeaders),
        body: Buffer.concat(chunks).toString("latin1"),
      });
      response.writeHead(200, { ...answer, "content-type": "text/plain" }).end("application");
    });
  });
  const upgraded = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, headers: pairs(request.rawHeaders), body: "" });
    const fields = [`Upgrade: ${headers.upgrade}`, "Connection: Upgrade"];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join("\r\n")}\r\n\r\n`);
    upgraded.add(socket);
    socket.on("error", () => socket.destroy()).pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    take: () => requests.splice(0),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await closed;
    },
  };
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] as string] as const] : []));
}

/** Returns the ids of a request's session, by the names of their headers in lower case. See `identityFieldsOf`. */
export function identityOf(arrival: ReceivedRequest): Record<string, string> {
  const { [assertionHeader]: _assertion, ...ids } = identityFieldsOf(arrival);
  return ids;
}

/** Returns a request's assertion; `undefined` if it has none. See `identityFieldsOf`. */
export function assertionOf(arrival: ReceivedRequest): string | undefined {
  return identityFieldsOf(arrival)[assertionHeader];
}

/**
 * Returns the identity in a request's headers, by their names in lower case, without absent and empty ones. Throws if a
 * header is there twice or in another spelling.
 */
function identityFieldsOf(arrival: ReceivedRequest): Record<string, string> {
  const proper = new Map([...identityHeaders, assertionHeader].map((name) => [folded(name), name.toLowerCase()]));
  const found: Record<string, string> = {};
  for (const [name, value] of arrival.headers) {
    const known = proper.get(folded(name));
    if (known === undefined) continue;
    if (name.toLowerCase() !== known || known in found) {
      throw new Error(`${name} has arrived: ${JSON.stringify(arrival.headers)}`);
    }
    found[known] = Buffer.from(value, "latin1").toString("utf8");
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ""));
}
