import { pause } from "./pause.ts";
import { errorOfAnswer, isPassing, ProblemError } from "./problem-error.ts";
import type {
  Identity,
  RecordReceipt,
  RequestRecord,
  SessionInfo,
  Timeline,
  VisitBody,
} from "./protocol.ts";

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

export interface CreateOptions extends CallOptions {
  /** 1 to 255 visible ASCII characters; made up where ids are given and this is not. */
  readonly idempotencyKey?: string | undefined;
}

export interface RecordOptions extends CreateOptions {
  /** Waits until the records are on the disk. */
  readonly durable?: boolean | undefined;
  /** Lets the request outlive its page (Fetch standard); its body must stay below 64 KiB then. */
  readonly keepalive?: boolean | undefined;
}

export interface TimelineOptions extends CallOptions {
  /** The `next` of the page before, or a sequence number. */
  readonly after?: string | number | undefined;
  /** 1 to 1,000; 100 by default. */
  readonly limit?: number | undefined;
}

/**
 * The operations of the service, one call each. Every call rejects with a `ProblemError`, and
 * attempts are repeated within the time limit where no answer came or the service asks for it:
 * that is safe, as retrieving and updating are by contract, and creating and recording carry an
 * Idempotency-Key.
 */
export interface Transport {
  /** Creates a session with these ids. */
  create(ids?: Ids, options?: CreateOptions): Promise<SessionInfo>;
  /** The session of this id, or a new one, which takes its customer and agent from `ids` (rule 3). */
  retrieve(sessionId: string, ids?: Ids, options?: CallOptions): Promise<SessionInfo>;
  /** Associates ids with a session (contract rules 1, 2 and 5). */
  update(sessionId: string, ids: Ids, options?: CallOptions): Promise<SessionInfo>;
  /** Records requests in a session, 1 to 1,000. */
  record(
    sessionId: string,
    records: RequestRecord | readonly RequestRecord[],
    options?: RecordOptions,
  ): Promise<RecordReceipt>;
  /** A page of a session's timeline. */
  timeline(sessionId: string, options?: TimelineOptions): Promise<Timeline>;
}

interface Call extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly ids?: Ids | undefined;
  readonly body?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly keepalive?: boolean | undefined;
}

function withoutSlash(url: string): string {
  let end = url.length;
  while (url[end - 1] === "/") end--;
  return url.slice(0, end);
}

/** The calls to the service at one address. */
export function createTransport(options: TransportOptions): Transport {
  const base = withoutSlash(String(options.url));
  const { key, timeout = 10_000, attempts = 3 } = options;
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));

  async function call<T>(request: Call): Promise<T> {
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
  }

  return {
    create: (ids, { idempotencyKey, signal } = {}) =>
      call({
        method: "PUT",
        path: "/sessions/new",
        ids,
        body: visitBody(ids ?? {}),
        // A session without ids is stored nowhere: a second one by mistake costs nothing (rule 8).
        idempotencyKey: idempotencyKey ?? (ids && randomKey()),
        signal,
      }),
    retrieve: (sessionId, ids = {}, { signal } = {}) =>
      call({ method: "GET", path: pathOf(sessionId), ids, signal }),
    update: (sessionId, ids, { signal } = {}) =>
      call({ method: "POST", path: pathOf(sessionId), ids, body: visitBody(ids), signal }),
    record: (sessionId, records, { durable, idempotencyKey = randomKey(), ...rest } = {}) =>
      call({
        method: "POST",
        path: `${pathOf(sessionId)}/requests${durable ? "?durable=true" : ""}`,
        body: records,
        idempotencyKey,
        ...rest,
      }),
    timeline: (sessionId, { after, limit, signal } = {}) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ after, limit })) {
        if (value !== undefined) query.set(name, String(value));
      }
      return call({
        method: "GET",
        path: `${pathOf(sessionId)}/requests?${query.toString()}`,
        signal,
      });
    },
  };
}

const pathOf = (sessionId: string) => `/sessions/${encodeURIComponent(sessionId)}`;

/** A value for one Idempotency-Key. */
export function randomKey(): string {
  // Not `randomUUID`: pages without TLS have none.
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function visitBody({ visitId, globalVisitId }: Ids): VisitBody {
  return { visitId: visitId ?? null, globalVisitId: globalVisitId ?? null };
}

function requestInit(request: Call, signal: AbortSignal, key: string | undefined): RequestInit {
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
