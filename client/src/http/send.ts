import { baseUrlOf } from "../call.ts";
import type { HttpConnection } from "./connection.ts";
import { type Connections, connectionsTo } from "./connections.ts";
import type { HttpResponse } from "./response.ts";

/** A request to the service. */
export interface HttpRequest {
  readonly method: string;
  /** The path below the address of the service, with its query. */
  readonly path: string;
  /** One character for each byte (Fetch standard, ByteString). */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface HttpLimits {
  /** Time limit in milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request over HTTP/1.1. Rejects with an `Error` if there is no response: `HttpTimeout` after the time limit, the
 * signal's reason, or `UnreadableResponse`.
 */
export type SendHttp = (request: HttpRequest, limits: HttpLimits) => Promise<HttpResponse>;

/** The error for a request without a whole response in time. */
export class HttpTimeout extends Error {}

/** The bytes that a header may have (RFC 9110, section 5.5), each as a character. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const WITHOUT_LENGTH = ["GET", "DELETE"];

/** Creates the function that sends requests to the service at an address, on platforms with Node's modules. */
export function createHttpSender(url: URL): SendHttp {
  const base = baseUrlOf({ url: url.pathname });
  const common = `host: ${url.host}\r\nuser-agent: antechamber-client\r\n`;
  const connections = connectionsTo(url);
  return async ({ method, path, headers, body }, limits) => {
    let head = `${method} ${base}${path} HTTP/1.1\r\n${common}`;
    for (const name of Object.keys(headers)) head += `${name}: ${checked(name, headers[name] ?? "")}\r\n`;
    if (body === undefined) {
      // Some proxies refuse other requests without a length.
      const length = WITHOUT_LENGTH.includes(method) ? "" : "content-length: 0\r\n";
      return await exchange(connections, `${head}${length}\r\n`, limits);
    }
    const bytes = Buffer.byteLength(body);
    head += `content-length: ${bytes}\r\n\r\n`;
    const isAscii = bytes === body.length;
    const request = isAscii ? head + body : Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body)]);
    return await exchange(connections, request, limits);
  };
}

/** Throws a `TypeError` for a value that would end its header. */
function checked(name: string, value: string): string {
  if (!VALUE.test(value)) throw new TypeError(`the header ${name} has a character that headers cannot contain`);
  return value;
}

function exchange(
  connections: Connections,
  request: string | Buffer,
  { timeout, signal }: HttpLimits,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let connection: HttpConnection | undefined;
    let isSettled = false;

    function settle(): void {
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }

    function fail(error: Error): void {
      settle();
      reject(error);
    }

    function abort(error: Error): void {
      fail(error);
      connections.cancel(use);
      connection?.destroy(error);
    }

    function use(given: HttpConnection): void {
      connection = given;
      given.send(request, {
        resolve(response) {
          settle();
          connections.giveBack(given);
          resolve(response);
        },
        reject(error) {
          const isStale = given.isUsed && !given.isResponding;
          connections.giveBack(given);
          if (isSettled) return;
          // The service has closed the idle connection as the request was sent.
          if (isStale) return use(connections.open());
          fail(error);
        },
      });
    }

    const onAbort = () => abort(signal?.reason as Error);
    const timer = setTimeout(() => abort(new HttpTimeout()), timeout);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort);
    connections.take(use);
  });
}
