import { pause } from "./pause.ts";
import { errorOfAnswer, isPassing, ProblemError } from "./problem-error.ts";
import type { Identity } from "./protocol.ts";

/** Ids to associate; `null`, the empty string and what is left out mean "not given". */
export type Ids = Partial<Identity>;

/** `fetch` as this package calls it. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Where Antechamber is, with its base path if it has one. */
  readonly url: string | URL;
  /** Sent as `Authorization: Bearer`. In a web page everybody can read it: a public page's key only. */
  readonly key?: string | undefined;
  /** What makes the requests; the global `fetch` by default. */
  readonly fetch?: Fetch | undefined;
  /** How long a call may take with all its attempts, in milliseconds; 10,000 by default. */
  readonly timeout?: number | undefined;
  /** How often a call is attempted at most; 3 by default. */
  readonly attempts?: number | undefined;
}

export interface CallOptions {
  /** Gives the call up; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request to the service. */
export interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly ids?: Ids | undefined;
  readonly body?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly keepalive?: boolean | undefined;
}

/** The address as paths are put behind it. */
export function baseOf({ url: given }: TransportOptions): string {
  const url = String(given);
  let end = url.length;
  while (url[end - 1] === "/") end--;
  return url.slice(0, end);
}

/** Makes a request and gives its answer; `undefined` for one without content. */
export type Caller = <T>(request: Call) => Promise<T>;

/** Makes requests to the service at one address, and repeats those that may succeed then. */
export function createCaller(options: TransportOptions): Caller {
  const base = baseOf(options);
  const { key, timeout = 10_000, attempts = 3 } = options;
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));

  return async <T>(request: Call) => {
    const until = performance.now() + timeout;
    const deadline = AbortSignal.timeout(timeout);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    const init = requestInit(request, signal, key);
    for (let attempt = 1; ; attempt++) {
      try {
        return (await once(base + request.path, init, doFetch)) as T;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (deadline.aborted) throw new ProblemError({ code: "timeout", cause: error });
        const delay = delayBefore(attempt, error as ProblemError);
        if (attempt >= attempts || delay === undefined || performance.now() + delay > until) {
          throw error;
        }
        await pause(delay);
      }
    }
  };
}

/** What `fetch` is told of a request. */
export function requestInit(
  request: Call,
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
    body: body === undefined ? null : JSON.stringify(body),
    ...(keepalive ? { keepalive } : {}),
  };
}

/** Header values are bytes, one a character (Fetch standard, ByteString); ids travel as UTF-8. */
function headerBytes(id: string): string {
  return String.fromCharCode(...new TextEncoder().encode(id));
}

async function once(url: string, init: RequestInit, doFetch: Fetch): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await doFetch(url, init);
    text = await response.text();
  } catch (cause) {
    throw new ProblemError({ code: "network", cause });
  }
  if (!response.ok) throw errorOfAnswer(response, text);
  if (response.status === 204) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ProblemError({ code: "unexpected-answer", status: response.status, cause });
  }
}

/** Milliseconds to wait after this attempt failed; `undefined` when another one is no use. */
function delayBefore(attempt: number, error: ProblemError): number | undefined {
  if (!isPassing(error)) return undefined;
  // Spread out, so that callers that failed together do not come back together.
  return (error.retryAfter ?? 0) * 1000 + 100 * 2 ** attempt * (0.5 + Math.random() / 2);
}
