import { type CallOptions, createCaller, type Ids, type TransportOptions } from "./call.ts";
import { checkTransportOptions } from "./client-options.ts";
import type { RecordReceipt, RequestRecord, SessionInfo, Timeline, VisitBody } from "./protocol.ts";

export type { CallOptions, Fetch, Ids, TransportOptions } from "./call.ts";

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
 * is repeated within the time limit if there is no response or the service asks for it. That is safe: retrieving and
 * updating can be repeated (contract.md#rule-1), creating and recording carry an Idempotency-Key.
 */
export interface Transport {
  /** Creates a session with these ids. */
  create(ids?: Ids, options?: CreateOptions): Promise<SessionInfo>;
  /** The session of this id, or a new one, which takes its customer and agent from `ids` (contract.md#rule-3). */
  retrieve(sessionId: string, ids?: Ids, options?: CallOptions): Promise<SessionInfo>;
  /** Associates ids with a session (contract.md#rule-1, contract.md#rule-2 and contract.md#rule-5). */
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

/** The calls to the service at one address. Throws a `TypeError` for invalid options. */
export function createTransport(options: TransportOptions): Transport {
  checkTransportOptions("createTransport()", options);
  const call = createCaller(options);
  return {
    create: (ids, { idempotencyKey, signal } = {}) =>
      call({
        method: "PUT",
        path: "/sessions/new",
        ids,
        body: visitBody(ids ?? {}),
        // A session without ids is stored nowhere: a second one by mistake costs nothing (contract.md#rule-8).
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

/**
 * The path of a session. A text that cannot be an id is sent as one that opens no session: "..", "end" and the like
 * would be other paths.
 */
export const pathOf = (sessionId: string) =>
  `/sessions/${/^[\w-]{40}$/.test(sessionId) ? sessionId : "unknown"}`;

/** A value for one Idempotency-Key. */
export function randomKey(): string {
  // Not `randomUUID`: pages without TLS have none.
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function visitBody({ visitId, globalVisitId }: Ids): VisitBody {
  return { visitId: visitId ?? null, globalVisitId: globalVisitId ?? null };
}
