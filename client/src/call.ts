import { errorFromResponse, isRetryable, ProblemError, parseJson } from "./problem-error.ts";
import { bodyIds, headerIds, type Identity } from "./protocol.ts";
import { sleep } from "./sleep.ts";

/** Ids to associate with a session. A missing id, `null` and the empty string all mean that the id is not given. */
export type Ids = Partial<Identity>;

/** The part of `fetch` that this package uses. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Address of Antechamber, including its base path if there is one. */
  readonly url: string | URL;
  /**
   * API key, sent as `Authorization: Bearer`. Everybody can read a key in a web page: use only a key for public pages.
   */
  readonly key?: string | undefined;
  /** The function that sends requests; by default the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** Time limit of a call in milliseconds, including all attempts; 10,000 by default. */
  readonly timeout?: number | undefined;
  /** Maximum number of attempts of a call, the first one included; 3 by default. */
  readonly attempts?: number | undefined;
}

export interface CallOptions {
  /** A signal that aborts the call. The call then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A request to the service. */
export interface ServiceRequest extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly ids?: Ids | undefined;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly keepalive?: boolean | undefined;
  /** The entity tag that the data of the session must have. */
  readonly ifMatch?: string | undefined;
  /** Whether the call returns the response as `TaggedData`. */
  readonly isTagged?: boolean | undefined;
  /** Returns whether a parsed response can be the service's. Otherwise the call rejects with `unexpected-answer`. */
  readonly isExpected?: ((content: unknown) => boolean) | undefined;
}

/** The data of a session, and their entity tag. */
export interface TaggedData<Data> {
  readonly data: Data;
  /** The entity tag, with its quotes, for the option `ifMatch`. Equal data have equal tags. */
  readonly etag: string;
}

/** Returns the address without slashes at its end, so that a path can be appended. */
export function baseUrlOf({ url: given }: TransportOptions): string {
  let url = String(given);
  while (url.endsWith("/")) url = url.slice(0, -1);
  return url;
}

/** Returns the `fetch` of the options. By default this is the global `fetch`, which is looked up at each call. */
export function fetchOf(options: Pick<TransportOptions, "fetch">): Fetch {
  return options.fetch ?? ((input, init) => fetch(input, init));
}

/** The second argument of `fetch` for a request to the service. */
export interface ServiceRequestInit extends RequestInit {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** The members of a response that this package reads. */
export interface ServiceResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Pick<Headers, "get">;
  /** Rejects if the body does not arrive whole and in time. */
  text(): Promise<string>;
}

/** A call of the service, with its time limit. */
export interface Call {
  /** Sends the request. Rejects with any error if there is no response in time, or if the request's signal aborts it. */
  send(): Promise<ServiceResponse>;
  /** Whether the time limit has ended the call. */
  readonly deadline: { readonly aborted: boolean };
}

/** Starts a call. `timeout` is the time limit in milliseconds for everything that follows. */
export type StartCall = (request: ServiceRequest, init: ServiceRequestInit, timeout: number) => Call;

/** Returns the function that starts calls by `fetch`. */
export function createFetchCalls(options: TransportOptions): StartCall {
  const base = baseUrlOf(options);
  return ({ path, signal }, init, timeout) => {
    const deadline = AbortSignal.timeout(timeout);
    init.signal = signal ? AbortSignal.any([deadline, signal]) : deadline;
    return { send: () => fetchOf(options)(base + path, init), deadline };
  };
}

/** Sends a request and returns the parsed response; `undefined` if it has no content. */
export type SendRequest = <T>(request: ServiceRequest) => Promise<T>;

/** Returns a function that sends requests to the service. It retries a failed request if a retry may succeed. */
export function createRequestSender(options: TransportOptions, start = createFetchCalls(options)): SendRequest {
  const { key, timeout = 10_000, attempts = 3 } = options;

  return async <T>(request: ServiceRequest) => {
    const endsAt = performance.now() + timeout;
    const call = start(request, requestInit(request, key), timeout);
    for (let attempt = 1; ; attempt++) {
      try {
        return (await sendOnce(call, request)) as T;
      } catch (error) {
        request.signal?.throwIfAborted();
        if (call.deadline.aborted) throw new ProblemError({ code: "timeout", cause: error });
        const failure = error as ProblemError;
        // The random part spreads the retries of clients that failed at the same time.
        const delay = (failure.retryAfter ?? 0) * 1000 + 50 * 2 ** attempt * (1 + Math.random());
        if (!isRetryable(failure) || attempt >= attempts || performance.now() + delay > endsAt) throw failure;
        await sleep(delay);
      }
    }
  };
}

const idNames: readonly string[] = [...headerIds, ...bodyIds];

/** Returns the second argument of `fetch` for a request. Throws a `TypeError` for an id of an unknown name. */
export function requestInit(request: ServiceRequest, key: string | undefined): ServiceRequestInit {
  const { method, ids = {}, body, idempotencyKey, keepalive = false, ifMatch } = request;
  const headers = { ...request.headers };
  const unknown = Object.keys(ids).find((name) => !idNames.includes(name));
  if (unknown) throw new TypeError(`there is no id ${unknown}, only ${idNames.join(", ")}`);
  if (key) headers["authorization"] = `Bearer ${key}`;
  for (const name of headerIds) {
    if (ids[name]) headers[`gkc-${name}`] = headerBytes(name, ids[name]);
  }
  if (idempotencyKey) headers["idempotency-key"] = `"${idempotencyKey}"`;
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  if (body !== undefined) headers["content-type"] = "application/json";
  return {
    method,
    headers,
    cache: "no-store",
    // For a request without a body, this is `undefined`.
    body: JSON.stringify(body),
    keepalive,
  };
}

/** Matches what a header cannot contain or would lose: spaces at the ends, control characters, half surrogate pairs. */
const UNFIT_FOR_HEADER = /^ | $|[\p{Cc}\p{Cs}]/u;

/**
 * Encodes an id in UTF-8, one character for each byte, as `fetch` requires for headers (Fetch standard, ByteString).
 * Throws a `ProblemError` for an id that would arrive as another: `fetch` removes white space at the ends, so "anna\n"
 * would be "anna", and an object would be "[object Object]".
 */
function headerBytes(name: string, id: unknown): string {
  if (typeof id !== "string" || UNFIT_FOR_HEADER.test(id)) {
    const detail = `${name} is not a text without control characters and without spaces at its ends`;
    throw new ProblemError({ code: "invalid-request", detail });
  }
  return String.fromCharCode(...new TextEncoder().encode(id));
}

async function sendOnce(call: Call, { isTagged, isExpected }: ServiceRequest): Promise<unknown> {
  let response: ServiceResponse;
  let text: string;
  try {
    response = await call.send();
    text = await response.text();
  } catch (cause) {
    throw new ProblemError({ code: "network", cause });
  }
  const { ok, status, headers } = response;
  const data = parseJson(text);
  const isWhole = isExpected ? isExpected(data) : data !== undefined || status === 204;
  if (!ok || !isWhole) throw errorFromResponse(response, text);
  // A proxy that compresses responses makes their tags weak.
  return isTagged ? { data, etag: headers.get("etag")?.replace("W/", "") ?? "*" } : data;
}
