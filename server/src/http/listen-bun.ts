import type { BunRequest, Server } from "bun";
import type { App } from "./app.ts";
import { drained, type Listener, type ListenOptions } from "./listener.ts";
import { type ApiRequest, type ApiResponse, apiFields, apiHeaders } from "./messages.ts";
import { isLong, piecesOf } from "./pieces.ts";
import type { Route } from "./routes.ts";
import { withSocketMode } from "./unix-socket.ts";

/*
 * Bun's own router leads to the operations on sessions: it hands over the parameter without parsing
 * the URL in JavaScript, which would cost as much as the rest of a retrieval. What it does not know
 * (trailing slashes, other methods, other paths) goes the general way and comes to the same.
 */

/** Seconds after which Bun closes a connection on which nothing moves: also in the middle of a request. */
const IDLE_TIMEOUT = 12;
/**
 * How long a client may keep an idle connection, as it is told: Bun looks every four seconds, so that it
 * may be early by as many. A client that uses one which is just being closed loses its request.
 */
const KEEP_ALIVE = `timeout=${IDLE_TIMEOUT - 5}`;
/** Bodies are cut by the handlers, which answer in words; Bun's own limit would answer without. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** How much of a body that is too long is let pass before the answer, and for how long. */
const LINGER_BYTES = 4 * 1024 * 1024;
const LINGER_MS = 1000;

type Handler = (raw: BunRequest, server: Server<undefined>) => Response | Promise<Response>;

/** Serves the application by `Bun.serve`. */
export function listen(app: App, { host, port, socket, shutdownTimeout }: ListenOptions): Listener {
  const shared = {
    maxRequestBodySize: NO_LIMIT,
    routes: routesOf(app),
    fetch: (raw: Request, own: Server<undefined>) =>
      respond(app.handle(new BunApiRequest(raw, own))),
  };
  const server =
    socket === undefined
      ? Bun.serve({ ...shared, hostname: host, port, idleTimeout: IDLE_TIMEOUT })
      : withSocketMode(socket, () => Bun.serve({ ...shared, unix: socket.path }));
  return {
    port: server.port ?? 0,
    async close() {
      app.stop();
      void server.stop(false);
      await drained(app, shutdownTimeout);
      await server.stop(true);
    },
  };
}

/** The operations on sessions and for proxies, in the form that Bun's router takes. */
function routesOf(app: App): Record<string, Handler | Record<string, Handler>> {
  const routes: Record<string, Record<string, Handler>> = {};
  for (const base of ["", ...app.basePaths]) {
    for (const route of app.routes.filter(({ isBased }) => isBased)) {
      const path = base + route.path;
      routes[path] = { ...routes[path], [route.method]: handlerOf(app, route, base) };
    }
  }
  const forAll = app.routes.filter(({ method, path }) => method === "*" && !path.endsWith("*"));
  return {
    ...routes,
    ...Object.fromEntries(forAll.map((route) => [route.path, handlerOf(app, route, "")])),
  };
}

function handlerOf(app: App, route: Route, base: string): Handler {
  if (!route.path.includes("/:sessionId")) {
    const match = { route, sessionId: "", customerId: "", base };
    return (raw, server) => respond(app.serve(match, new BunApiRequest(raw, server)));
  }
  return (raw, server) => {
    const { sessionId } = raw.params as { readonly sessionId: string };
    const match = { route, sessionId, customerId: "", base };
    return respond(app.serve(match, new BunApiRequest(raw, server)));
  };
}

function respond(answer: ApiResponse | Promise<ApiResponse>): Response | Promise<Response> {
  return answer instanceof Promise ? answer.then(toResponse) : toResponse(answer);
}

/** The headers of most answers: a `Response` copies what it is made with. */
const usual = new Headers({ ...apiFields, "keep-alive": KEEP_ALIVE });
/** And of those with a `Content-Location`: setting it again takes less time than making all of them. */
const located = new Headers(usual);

function toResponse(answer: ApiResponse): Response {
  const { contentLocation, body, status } = answer;
  const headers = headersOf(answer);
  if (contentLocation !== undefined) headers.set("content-location", contentLocation);
  return new Response(isLong(body) ? inPieces(body) : body, { status, headers });
}

function headersOf({ headers, contentLocation }: ApiResponse): Headers {
  if (headers === apiHeaders) return contentLocation === undefined ? usual : located;
  const own = new Headers(headers);
  if (!own.has("connection")) own.set("keep-alive", KEEP_ALIVE);
  return own;
}

function inPieces(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const pieces = piecesOf(bytes);
  return new ReadableStream(
    {
      async pull(controller) {
        const { value } = await pieces.next();
        if (value === undefined) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

class BunApiRequest implements ApiRequest {
  readonly #raw: Request;
  readonly #server: Server<undefined>;
  readonly #headers: Headers;

  constructor(raw: Request, server: Server<undefined>) {
    this.#raw = raw;
    this.#server = server;
    this.#headers = raw.headers;
  }

  get method(): string {
    return this.#raw.method;
  }

  get path(): string {
    return pathOf(this.#raw.url);
  }

  get query(): string {
    return queryOf(this.#raw.url);
  }

  get peer(): string {
    return this.#server.requestIP(this.#raw)?.address ?? "";
  }

  header(name: string): string | null {
    return this.#headers.get(name);
  }

  get hasBody(): boolean {
    const length = this.#headers.get("content-length");
    // Only a body without a length needs the stream: asking for it makes one.
    return length === null ? this.#raw.body !== null : length !== "0";
  }

  async body(limit: number): Promise<Uint8Array | undefined> {
    const raw = this.#raw;
    // With a length that is good there is no need to count; one that came twice is no number.
    const isCounted = this.#headers.get("transfer-encoding") === null;
    if (isCounted && Number(this.#headers.get("content-length")) <= limit) return raw.bytes();
    return raw.body === null ? new Uint8Array() : readUpTo(limit, raw.body);
  }
}

async function readUpTo(
  limit: number,
  body: ReadableStream<Uint8Array>,
): Promise<Uint8Array | undefined> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    length += value.length;
    if (length > limit) break;
    chunks.push(value);
  }
  await linger(reader);
  return undefined;
}

/** What `linger` needs of a reader; the types of Bun and of Node differ in the rest. */
interface ChunkReader {
  read(): Promise<{ readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** A connection that is closed with bytes unread takes the answer with it: some are let pass. */
async function linger(reader: ChunkReader): Promise<void> {
  const stop = () => void reader.cancel().catch(() => undefined);
  const timer = setTimeout(stop, LINGER_MS);
  let passed = 0;
  try {
    while (passed < LINGER_BYTES) {
      const { value } = await reader.read();
      if (value === undefined) return;
      passed += value.length;
    }
    stop();
  } catch {
    // The client has gone: there is nobody left to answer.
  } finally {
    clearTimeout(timer);
  }
}

/** What follows the "?" in a URL. */
function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start === -1 ? "" : url.slice(start + 1);
}

/** The path in a URL as Bun gives it: absolute, or without host when the request named none. */
function pathOf(url: string): string {
  const authority = url.indexOf("//");
  const start = url.startsWith("/") ? 0 : url.indexOf("/", authority + 2);
  const query = url.indexOf("?", start);
  return query === -1 ? url.slice(start) : url.slice(start, query);
}
