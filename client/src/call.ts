import { errorFromResponse, isRetryable, ProblemError } from "./problem-error.ts";
import type { Identity } from "./protocol.ts";
import { sleep } from "./sleep.ts";

/** Ids to associate. A missing id, `null` and the empty string all mean "not given". */
export type Ids = Partial<Identity>;

/** The part of `fetch` that this package uses. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** The address of Antechamber, with its base path if it has one. */
  readonly url: string | URL;
  /** Sent as `Authorization: Bearer`. Everybody can read the key of a web page: use only a public page's key there. */
  readonly key?: string | undefined;
  /** Makes the requests; the global `fetch` by default. */
  readonly fetch?: Fetch | undefined;
  /** The time limit of a call with all its attempts, in milliseconds; 10,000 by default. */
  readonly timeout?: number | undefined;
  /** The maximum number of attempts of a call; 3 by default. */
  readonly attempts?: number | undefined;
}

export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request to the service. */
export interface ServiceRequest extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly ids?: Ids | undefined;
  readonly body?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly keepalive?: boolean | undefined;
}

/** Returns the address without trailing slashes, so that a path can follow it. */
export function baseUrlOf({ url: given }: TransportOptions): string {
  const url = String(given);
  let end = url.length;
  while (url[end - 1] === "/") end--;
  return url.slice(0, end);
}

/** Returns the `fetch` of the options; by default the global one, looked up at each call. */
export function fetchOf(options: Pick<TransportOptions, "fetch">): Fetch {
  return options.fetch ?? ((input, init) => fetch(input, init));
}

/** Sends a request and returns the parsed response; `undefined` if it has no content. */
export type SendRequest = <T>(request: ServiceRequest) => Promise<T>;

/** Returns a function that sends requests to one service, and retries those that may succeed later. */
export function createRequestSender(options: TransportOptions): SendRequest {
  const base = baseUrlOf(options);
  const { key, timeout = 10_000, attempts = 3 } = options;
  const doFetch = fetchOf(options);

  return async <T>(request: ServiceRequest) => {
    const endsAt = performance.now() + timeout;
    const deadline = AbortSignal.timeout(timeout);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    const init = requestInit(request, signal, key);
    for (let attempt = 1; ; attempt++) {
      try {
        return (await sendOnce(base + request.path, init, doFetch)) as T;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (deadline.aborted) throw new ProblemError({ code: "timeout", cause: error });
        const delay = retryDelay(attempt, error as ProblemError);
        if (attempt >= attempts || delay === undefined || performance.now() + delay > endsAt) {
          throw error;
        }
        await sleep(delay);
      }
    }
  };
}

/** Returns the options of `fetch` for a request. */
export function requestInit(
  request: ServiceRequest,
  signal: AbortSignal,
  key: string | undefined,
): RequestInit {
  const { method, ids = {}, body, idempotencyKey, keepalive } = request;
  const headers: Record<string, string> = {};
  if (key) headers["authorization"] = `Bearer ${key}`;
  if (ids.agentId) headers["gkc-agentId"] = headerBytes(ids.agentId);
  if (ids.customerId) headers["gkc-customerId"] = headerBytes(ids.customerId);
  if (idempotencyKey) headers["idempotency-key"] = `"${idempotencyKey}"`;
  if (body !== undefined) headers["content-type"] = "application/json";
  return {
    method,
    headers,
    signal,
    cache: "no-store",
    // `undefined` without a body.
    body: JSON.stringify(body),
    ...(keepalive ? { keepalive } : {}),
  };
}

/** Returns the id in UTF-8, one character for each byte, as `fetch` expects (Fetch standard, ByteString). */
function headerBytes(id: string): string {
  return String.fromCharCode(...new TextEncoder().encode(id));
}

async function sendOnce(url: string, init: RequestInit, doFetch: Fetch): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await doFetch(url, init);
    text = await response.text();
  } catch (cause) {
    throw new ProblemError({ code: "network", cause });
  }
  if (!response.ok) throw errorFromResponse(response, text);
  if (response.status === 204) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ProblemError({ code: "unexpected-answer", status: response.status, cause });
  }
}

/** Returns the milliseconds to wait before the next attempt; `undefined` if a retry is useless. */
function retryDelay(attempt: number, error: ProblemError): number | undefined {
  if (!isRetryable(error)) return undefined;
  // Random, so that clients that failed at the same time do not retry at the same time.
  return (error.retryAfter ?? 0) * 1000 + 50 * 2 ** attempt * (1 + Math.random());
}
