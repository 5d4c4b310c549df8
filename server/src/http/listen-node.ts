import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import type { App } from "./app.ts";
import { drained, type Listener, type ListenOptions } from "./listener.ts";
import type { ApiRequest, ApiResponse, HeaderFields } from "./messages.ts";
import { isLong, piecesOf } from "./pieces.ts";
import { withSocketMode } from "./unix-socket.ts";

/** Milliseconds that a client may take for its headers, and for a whole request. */
const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 15_000;
/** How long an idle connection is kept for a next request, and how often the time-outs are looked at. */
const KEEP_ALIVE_TIMEOUT = 12_000;
const CHECK_INTERVAL = 1000;
const MAX_HEADER_BYTES = 16 * 1024;
/** How long what follows of a body that is too long is let pass, milliseconds. */
const LINGER_MS = 1000;

/** Serves the application by `node:http`. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      connectionsCheckingInterval: CHECK_INTERVAL,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Else the second Host, or the second key, would go unseen.
      joinDuplicateHeaders: true,
    },
    (raw, response) => {
      const answer = app.handle(new NodeApiRequest(raw));
      if (answer instanceof Promise) void answer.then((done) => send(raw, response, done));
      else send(raw, response, answer);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    const { socket } = options;
    if (socket === undefined) server.listen(options.port, options.host);
    else withSocketMode(socket, () => server.listen(socket.path));
  });
  return {
    port: options.socket === undefined ? (server.address() as AddressInfo).port : 0,
    async close() {
      app.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await drained(app, options.shutdownTimeout);
      server.closeAllConnections();
      await closed;
    },
  };
}

function send(raw: IncomingMessage, response: ServerResponse, answer: ApiResponse): void {
  const { status, body, contentLocation } = answer;
  const shared = fieldsOf(answer.headers);
  const headers =
    contentLocation === undefined ? shared : { ...shared, "content-location": contentLocation };
  if (body instanceof ReadableStream) {
    response.writeHead(status, headers);
    stream(body, raw, response);
    return;
  }
  const length = body === null ? undefined : Buffer.byteLength(body);
  response.writeHead(
    status,
    length === undefined ? headers : { ...headers, "content-length": length },
  );
  if (isLong(body) && raw.method !== "HEAD") {
    pipeline(piecesOf(body), response, () => undefined);
    return;
  }
  if (raw.complete || headers["connection"] !== "close") {
    response.end(raw.method === "HEAD" ? undefined : body);
    return;
  }
  // A connection that is closed with bytes unread takes the answer with it: some are let pass.
  response.write(body ?? "");
  const end = () => response.end();
  const timer = setTimeout(end, LINGER_MS);
  raw
    .once("close", () => clearTimeout(timer))
    .once("end", end)
    .resume();
}

/** An error of the stream, or of the connection, ends both. */
function stream(
  body: ReadableStream<Uint8Array>,
  raw: IncomingMessage,
  response: ServerResponse,
): void {
  if (raw.method === "HEAD") {
    void body.cancel();
    response.end();
    return;
  }
  pipeline(Readable.fromWeb(body as never), response, () => undefined);
}

/** Those that serve many answers are taken apart once. */
const known = new WeakMap<Headers, HeaderFields>();

function fieldsOf(headers: HeaderFields | Headers): HeaderFields {
  if (!(headers instanceof Headers)) return headers;
  let fields = known.get(headers);
  if (fields === undefined) {
    fields = Object.fromEntries(headers);
    known.set(headers, fields);
  }
  return fields;
}

class NodeApiRequest implements ApiRequest {
  readonly #raw: IncomingMessage;

  constructor(raw: IncomingMessage) {
    this.#raw = raw;
  }

  get method(): string {
    return this.#raw.method ?? "";
  }

  get path(): string {
    const url = this.#raw.url ?? "/";
    const start = url.startsWith("/") ? 0 : Math.max(0, url.indexOf("/", url.indexOf("//") + 2));
    const query = url.indexOf("?", start);
    return query === -1 ? url.slice(start) : url.slice(start, query);
  }

  get query(): string {
    const url = this.#raw.url ?? "/";
    const start = url.indexOf("?");
    return start === -1 ? "" : url.slice(start + 1);
  }

  get peer(): string {
    return this.#raw.socket.remoteAddress ?? "";
  }

  header(name: string): string | null {
    const value = this.#raw.headers[name];
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
  }

  get hasBody(): boolean {
    const { headers } = this.#raw;
    const length = headers["content-length"];
    return length === undefined ? headers["transfer-encoding"] !== undefined : length !== "0";
  }

  async body(limit: number): Promise<Uint8Array | undefined> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.#raw.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length;
      if (length > limit) {
        this.#raw.pause();
        return undefined;
      }
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  }
}
