import { createCircuitBreaker } from "../middleware/circuit-breaker.ts";
import { errorFromResponse, isUnanswered, ProblemError } from "../problem-error.ts";
import { type HttpAddress, HttpConnection } from "./http-connection.ts";
import type { HttpResponse } from "./http-response.ts";

/** A request of a session store to the service. */
export interface StoreRequest {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  /** The body as JSON text. */
  readonly body?: string;
  /** Media type of the body; `application/json` by default. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StoreResponse {
  readonly text: string;
  /** The entity tag; `undefined` if the response has none. */
  readonly etag: string | undefined;
}

/** Sends a request. Rejects with a `ProblemError` for a refusal, and if there is no response in time. */
export type SendStoreRequest = (request: StoreRequest) => Promise<StoreResponse>;

export interface HttpCallsOptions {
  readonly url: string | URL;
  readonly key: string | undefined;
  /** Time limit of a call in milliseconds, including a second attempt. A call exceeds it by at most a quarter. */
  readonly timeout: number;
}

/** Maximum number of connections. Further requests wait for one. */
const MAX_CONNECTIONS = 64;

/**
 * Creates the function that sends requests. While the service is unavailable, most calls fail at once instead of after the
 * time limit.
 */
export function createHttpCalls({ url: given, key, timeout }: HttpCallsOptions): SendStoreRequest {
  const url = new URL(given);
  const base = url.pathname.replace(/\/$/, "");
  const common = `host: ${url.host}\r\n${key ? `authorization: Bearer ${key}\r\n` : ""}`;
  const connections = createConnections(addressOf(url));
  const watch = createWatch(timeout);
  const breaker = createCircuitBreaker();

  async function sendTwice(request: string, call: Attempt): Promise<StoreResponse> {
    let response: HttpResponse;
    try {
      response = await sendOnce(request, call, await connections.take());
    } catch (error) {
      if (call.isLate) throw error;
      // The service may have closed the idle connection as the request was sent.
      response = await sendOnce(request, call, connections.open());
    }
    const { status, text } = response;
    const etag = response.header("etag") ?? undefined;
    if (status >= 200 && status < 300) return { text, etag };
    throw errorFromResponse({ status, headers: { get: (name) => response.header(name) } }, text);
  }

  async function sendOnce(request: string, call: Attempt, connection: HttpConnection): Promise<HttpResponse> {
    call.connection = connection;
    if (call.isLate) {
      connections.giveBack(connection);
      throw late();
    }
    try {
      return await connection.send(request);
    } finally {
      connections.giveBack(connection);
    }
  }

  return async ({ method, path, body, type = "application/json", headers = {} }) => {
    if (!breaker.allowsCall()) throw new ProblemError({ code: "unavailable", detail: "Antechamber is unavailable" });
    let head = `${method} ${base}${path} HTTP/1.1\r\n${common}`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (body !== undefined) head += `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    const call: Attempt = { since: performance.now(), connection: undefined, isLate: false };
    watch.add(call);
    try {
      const response = await sendTwice(`${head}\r\n${body ?? ""}`, call);
      breaker.recordSuccess();
      return response;
    } catch (cause) {
      const error = asProblem(cause, call.isLate);
      if (isUnanswered(error)) breaker.recordFailure();
      else breaker.recordSuccess();
      throw error;
    } finally {
      watch.remove(call);
    }
  };
}

/** The state of a call. */
interface Attempt {
  /** Start of the call, in milliseconds. */
  readonly since: number;
  connection: HttpConnection | undefined;
  isLate: boolean;
}

/** Aborts calls that take longer than `timeout` milliseconds. One timer for all is cheaper than one for each. */
function createWatch(timeout: number) {
  const calls = new Set<Attempt>();
  let timer: NodeJS.Timeout | undefined;
  function abortLateCalls(): void {
    const latest = performance.now() - timeout;
    for (const call of calls) {
      if (call.since > latest) continue;
      call.isLate = true;
      call.connection?.destroy(late());
    }
    if (calls.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }
  return {
    add(call: Attempt): void {
      calls.add(call);
      timer ??= setInterval(abortLateCalls, timeout / 4).unref();
    },
    remove(call: Attempt): void {
      calls.delete(call);
    },
  };
}

function addressOf({ protocol, hostname, port }: URL): HttpAddress {
  const isEncrypted = protocol === "https:";
  // The brackets around an IPv6 address belong to the URL only.
  return {
    isEncrypted,
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port) || (isEncrypted ? 443 : 80),
  };
}

/** Creates the connections to a service. */
function createConnections(address: HttpAddress) {
  const idle: HttpConnection[] = [];
  const waiting: ((connection: HttpConnection) => void)[] = [];
  let busy = 0;
  return {
    /** Returns an idle or a new connection. At the maximum number of connections, waits until one is idle. */
    take(): HttpConnection | Promise<HttpConnection> {
      // The service is least likely to close the connection that was used last.
      for (let found = idle.pop(); found !== undefined; found = idle.pop()) {
        if (found.isClosed) continue;
        busy += 1;
        return found;
      }
      if (busy < MAX_CONNECTIONS) return this.open();
      return new Promise((resolve) => waiting.push(resolve));
    },
    open(): HttpConnection {
      busy += 1;
      return new HttpConnection(address);
    },
    giveBack(connection: HttpConnection): void {
      busy -= 1;
      const next = waiting.shift();
      if (next !== undefined) {
        busy += 1;
        next(connection.isClosed ? new HttpConnection(address) : connection);
      } else if (!connection.isClosed) idle.push(connection);
    },
  };
}

function late(): ProblemError {
  return new ProblemError({ code: "timeout" });
}

function asProblem(error: unknown, isLate: boolean): ProblemError {
  if (isLate) return late();
  return error instanceof ProblemError ? error : new ProblemError({ code: "network", cause: error });
}
