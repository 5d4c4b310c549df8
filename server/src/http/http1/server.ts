import type { ApiRequest, ApiResponse, UnreadRequest } from "../messages.ts";
import { Connection, type ConnectionContext, type Patience } from "./connection.ts";
import { Outbox } from "./outbox.ts";
import type { HasLongHead } from "./request-head.ts";
import { createResponseHeads } from "./response-head.ts";
import type { Transport, TransportEvents } from "./transport.ts";

/** What a server is made of. */
export interface Http1Options {
  /** Answers a request, which is valid until then. Never throws, never rejects. */
  handle(request: ApiRequest): ApiResponse | Promise<ApiResponse>;
  /** Called with what should never happen: an answer that cannot be written. */
  defect(error: unknown): void;
  /** Makes the response to a request that could not be read, after which the connection is closed. Never throws. */
  refuse(request: UnreadRequest): ApiResponse;
  /** Says which requests may have a longer head than others. */
  readonly hasLongHead: HasLongHead;
}

/** A server of HTTP/1.1 and HTTP/1.0 (RFC 9112) over whatever connections it is given. */
export interface Http1Server {
  /** Takes over a connection, and gives who is to hear of it. */
  connect(transport: Transport): TransportEvents;
  /** Whether a request is being handled, or its answer has not gone out whole. */
  readonly isBusy: boolean;
  /** How many connections there are. */
  readonly connections: number;
  /** Ends all connections at once. */
  close(): void;
}

const patience: Patience = { idle: 13, head: 10, request: 15, stalled: 60, lingering: 2 };
/** A client may count on less than it gets: its next request may be a while on its way. */
const KEEP_ALIVE_SECONDS = patience.idle - 3;
const OUT_BYTES = 256 * 1024;

/** A server without connections. */
export function createHttp1Server(options: Http1Options): Http1Server {
  const { handle, refuse, hasLongHead, defect } = options;
  const connections = new Set<Connection>();
  const heads = createResponseHeads({ keepAliveSeconds: KEEP_ALIVE_SECONDS });
  heads.tick(Date.now());
  const context: ConnectionContext & { now: number } = {
    handle,
    heads,
    out: Buffer.allocUnsafeSlow(OUT_BYTES),
    outbox: new Outbox(),
    patience,
    now: 0,
    defect,
    refuse,
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
