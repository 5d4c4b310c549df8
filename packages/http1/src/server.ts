import { Connection, type ConnectionContext, type Timeouts } from "./connection.ts";
import type { HttpRequest, HttpResponse, RejectedRequest } from "./http-types.ts";
import type { HasLongHead } from "./request-head.ts";
import { ResponseBatcher } from "./response-batcher.ts";
import { ResponseHeads } from "./response-head.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** Answers a request. It must not throw or reject. */
export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

export interface ServerOptions {
  /** Called with a defect, which is an error that no client can cause, such as a response that cannot be written. */
  onDefect(error: unknown): void;
  /** Makes the response to a rejected request. By default, the response is the detail as text. Must not throw. */
  reject?(request: RejectedRequest): HttpResponse;
  /** Returns whether a request may have a longer head. By default, no request may. */
  readonly hasLongHead?: HasLongHead;
}

/** An HTTP/1.1 and HTTP/1.0 server (RFC 9112) for connections of any kind. */
export interface Server {
  /** Serves a connection. The caller must pass the events of `transport` to the returned object. */
  connect(transport: Transport): TransportEvents;
  /** Whether a request is being handled, or its response has not been sent completely. */
  readonly isBusy: boolean;
  /** The number of connections. */
  readonly connections: number;
  /** Closes all connections at once. */
  close(): void;
}

const timeouts: Timeouts = { idle: 13, head: 10, request: 15, stalled: 60, lingering: 2 };
/** The announced idle timeout. It is shorter than the actual one, so that a request sent at its end arrives in time. */
const KEEP_ALIVE_SECONDS = timeouts.idle - 3;
const OUT_BYTES = 256 * 1024;

/** Creates a server without connections. */
export function createServer(handle: Handler, options: ServerOptions): Server {
  const { onDefect, reject = asText, hasLongHead = () => false } = options;
  const connections = new Set<Connection>();
  const heads = new ResponseHeads(KEEP_ALIVE_SECONDS);
  heads.tick(Date.now());
  const context: ConnectionContext & { now: number } = {
    handle,
    heads,
    out: Buffer.allocUnsafeSlow(OUT_BYTES),
    batcher: new ResponseBatcher(),
    timeouts,
    now: 0,
    onDefect,
    reject,
    hasLongHead,
    closed: (connection) => void connections.delete(connection),
  };
  const timer = setInterval(() => {
    context.now++;
    heads.tick(Date.now());
    for (const connection of connections) connection.check();
  }, 1000);
  timer.unref();

  return {
    connect(transport) {
      const connection = new Connection(transport, context);
      connections.add(connection);
      return connection;
    },
    get isBusy() {
      return [...connections].some(({ isBusy }) => isBusy);
    },
    get connections() {
      return connections.size;
    },
    close() {
      clearInterval(timer);
      for (const connection of connections) connection.destroy();
    },
  };
}

function asText({ status, detail }: RejectedRequest): HttpResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body: detail };
}
