import type { Ids, SendRequest, ServiceRequest } from "./call.ts";
import type { ProblemError } from "./problem-error.ts";
import { bodyIds, type SessionBody, type SessionInfo } from "./protocol.ts";
import { isSessionId, isSessionName } from "./session-id.ts";
import type { DataOptions, Transport, UpdateOptions } from "./transport.ts";

/** The operations that the client for browsers needs. A page loads no others. */
export type SessionOperations = Omit<Transport, "retrieveWithData" | "clearData">;

/** Creates the operations. The options of the calls must already be checked. */
export function createSessionOperations(call: SendRequest): SessionOperations {
  return {
    create: (ids, given) =>
      call({
        ...given,
        method: "PUT",
        path: "/sessions/new",
        isExpected: isSession,
        ids,
        body: bodyOf(ids, given),
        // A session without ids is not stored (contract.md#rule-8), so a retry that creates a second one does no harm.
        idempotencyKey: given?.idempotencyKey ?? (ids && randomKey()),
      }),
    retrieve: (sessionId, ids, given) =>
      call({ ...given, method: "GET", path: pathOf(sessionId), isExpected: isSession, ids }),
    update: (sessionId, ids, given) =>
      call({
        ...given,
        method: "POST",
        path: pathOf(sessionId),
        isExpected: isSession,
        ids,
        body: bodyOf(ids, given),
        idempotencyKey: given?.idempotencyKey ?? (given?.rotate ? randomKey() : undefined),
      }),
    async end(sessionId, given) {
      try {
        await call({ ...given, method: "DELETE", path: pathOf(sessionId) });
        return true;
      } catch (error) {
        if ((error as ProblemError).code === "session-not-found") return false;
        throw error;
      }
    },
    record: (sessionId, records, { durable, provisional, idempotencyKey = randomKey(), ...rest } = {}) =>
      call({
        method: "POST",
        path: `${pathOf(sessionId)}/requests${durable ? "?durable=true" : provisional ? "?provisional=true" : ""}`,
        body: records,
        idempotencyKey,
        ...rest,
      }),
    readData: (name, given) => call(dataRequest("GET", name, given)),
    mergeData: (name, patch, given) => call(dataRequest("PATCH", name, given, patch)),
    replaceData: (name, data, given) => call(dataRequest("PUT", name, given, data)),
    timeline: (sessionId, { after, limit, signal } = {}) => {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries({ after, limit })) {
        if (value !== undefined) query.set(name, String(value));
      }
      return call({
        method: "GET",
        path: `${pathOf(sessionId)}/requests?${String(query)}`,
        signal,
      });
    },
  };
}

function dataRequest(method: string, name: string, given: DataOptions = {}, body?: object): ServiceRequest {
  return { ...given, method, path: `${pathOf(name)}/data`, body, isTagged: true, isExpected: isObject };
}

function isObject(content: unknown): content is Record<string, unknown> {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}

/**
 * Returns whether a response describes a session. Anything else is not from Antechamber, and its `sessionId` must not get
 * into cookies and headers.
 */
export function isSession(content: unknown): content is SessionInfo {
  return isObject(content) && isSessionId(content["sessionId"]);
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

function bodyOf(ids: Ids = {}, { rotate, profile, label }: UpdateOptions = {}): SessionBody {
  return { ...Object.fromEntries(bodyIds.map((name) => [name, ids[name] ?? null])), rotate, profile, label };
}
