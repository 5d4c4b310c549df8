import type { Ids, SendRequest, ServiceRequest, TaggedData } from "./call.ts";
import type { ProblemError } from "./problem-error.ts";
import type { RecordReceipt, RequestRecord, SessionBody, SessionInfo } from "./protocol.ts";
import { isSessionId, isSessionName } from "./session-id.ts";
import type { DataOptions, RecordOptions, Transport, UpdateOptions } from "./transport.ts";

/** The operations that the client for browsers needs. A page loads no others. */
export type SessionOperations = Omit<Transport, "record" | "retrieveWithData" | "clearData"> & {
  /** Records 1 to 1,000 requests in a session. */
  record(
    sessionId: string,
    records: RequestRecord | readonly RequestRecord[],
    options: Pick<RecordOptions, "idempotencyKey" | "keepalive" | "signal">,
    query?: string,
  ): Promise<RecordReceipt>;
};

/** Creates the operations. The options of the calls must already be checked. */
export function createSessionOperations(call: SendRequest): SessionOperations {
  const callSession = (method: string, path: string, ids: Ids | undefined, given?: Partial<ServiceRequest>) =>
    call<SessionInfo>({ ...given, method, path, ids, isExpected: isSession });
  /** Sends a request that associates ids. `needsKey`: whether it has an Idempotency-Key even if none is given. */
  const associate = (
    method: string,
    path: string,
    needsKey: unknown,
    ids: Ids | undefined,
    given: UpdateOptions | undefined,
  ) =>
    callSession(method, path, ids, {
      ...given,
      body: bodyOf(ids, given),
      idempotencyKey: given?.idempotencyKey ?? (needsKey ? randomKey() : undefined),
    });
  const callData = <Data extends object>(method: string, name: string, given?: DataOptions, body?: object) =>
    call<TaggedData<Data>>({
      ...given,
      method,
      path: `${pathOf(name)}/data`,
      body,
      isTagged: true,
      isExpected: isObject,
    });

  return {
    // A session without ids is not stored (contract.md#rule-8), so a retry that creates a second one does no harm.
    create: (ids, given) => associate("PUT", "/sessions/new", ids, ids, given),
    retrieve: (sessionId, ids, given) => callSession("GET", pathOf(sessionId), ids, given),
    update: (sessionId, ids, given) => associate("POST", pathOf(sessionId), given?.rotate, ids, given),
    async end(sessionId, given) {
      try {
        await call({ ...given, method: "DELETE", path: pathOf(sessionId) });
        return true;
      } catch (error) {
        if ((error as ProblemError).code === "session-not-found") return false;
        throw error;
      }
    },
    record: (sessionId, body, { idempotencyKey = randomKey(), ...rest }, query = "") =>
      call({ ...rest, method: "POST", path: `${pathOf(sessionId)}/requests${query}`, body, idempotencyKey }),
    readData: (name, given) => callData("GET", name, given),
    mergeData: (name, patch, given) => callData("PATCH", name, given, patch),
    replaceData: (name, data, given) => callData("PUT", name, given, data),
    timeline: (sessionId, { after, limit, signal } = {}) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ after, limit })) {
        if (value !== undefined) query.set(name, String(value));
      }
      return call({ method: "GET", path: `${pathOf(sessionId)}/requests?${String(query)}`, signal });
    },
  };
}

function isObject(content: unknown): boolean {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}

/**
 * Returns whether a response describes a session. Anything else is not from Antechamber, and its `sessionId` must not get
 * into cookies and headers.
 */
export function isSession(content: unknown): content is SessionInfo {
  return isSessionId((content as Partial<SessionInfo> | null | undefined)?.sessionId);
}

/**
 * Returns the path of a session. Texts that can be neither session ids nor handles, such as ".." and "end", get a path that leads to no
 * session instead of to another operation.
 */
export const pathOf = (name: string) => `/sessions/${isSessionName(name) ? name : "unknown"}`;

/** Returns a random value for an Idempotency-Key. */
export function randomKey(): string {
  // `randomUUID` is not used, because pages without TLS do not have it.
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function bodyOf({ visitId, globalVisitId }: Ids = {}, { rotate, profile, label }: UpdateOptions = {}): SessionBody {
  return { visitId, globalVisitId, rotate, profile, label };
}
