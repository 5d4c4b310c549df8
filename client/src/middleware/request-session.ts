import { isRetryable, ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import type { Ids, Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

/** The session of a request. */
export interface RequestSession extends SessionInfo {
  /** Whether the session was created for this request, because the visitor had no live session. */
  readonly isNew: boolean;
  /**
   * Associates ids with the session, for example at a sign-in. Calling it again with the same ids is safe. Records from
   * before remain those of an anonymous visitor. If the session belongs to another customer or agent, another person
   * now uses the browser, so the visitor gets a new session with these ids.
   *
   * Resolves with `true` if the ids are stored. Resolves with `false` if Antechamber is unavailable or does not respond
   * in time; the next request may try again. Rejects with a `ProblemError` for every refusal, such as `already-exists`,
   * `invalid-request`, `nothing-to-associate` and `identity-mismatch`. If another request has ended the session with
   * `end`, rejects with `session-not-found`.
   *
   * @example
   * await sessionOf(request)?.identify({ customerId: user.id });
   */
  identify(ids: Ids): Promise<boolean>;
  /**
   * Ends the session, for example at a sign-out. Afterwards the session's id cannot be used any more, and the response
   * to this request removes the browser's cookie. This request is recorded before the session ends, so its record has
   * no status. The visitor gets a new session with the next request, or if `identify` is called on this one.
   *
   * Resolves with `true` if the session has ended, now or earlier. Resolves with `false` if Antechamber did not respond
   * in time. The cookie is removed in both cases. Rejects with a `ProblemError` for a refusal.
   */
  end(): Promise<boolean>;
}

/** The change that the response to a request must report to the visitor. */
export type SessionChange = "none" | "new session" | "ended session";

/** The operations that a `RequestSession` calls. */
export interface SessionCalls {
  readonly transport: Pick<Transport, "create" | "update">;
  /** Ends a session. Rejects with `session-not-found` if there is no live session with this id. */
  endSession(sessionId: string): Promise<unknown>;
  /** Time limit of `identify` and `end` in milliseconds. */
  readonly deadline: number;
  /** Sends the session's waiting records, so that they are stored before the session's identity changes. */
  flush(sessionId: string): Promise<void>;
  reportFailure(error: unknown): void;
  /** Ids of sessions that were ended recently. */
  readonly ended: EndedIds;
}

/** A set of ids of sessions that were ended recently. */
export interface EndedIds {
  add(sessionId: string): void;
  delete(sessionId: string): void;
  has(sessionId: string): boolean;
}

/** Maximum number of ids in the set of ended sessions: more than a process has simultaneous requests. */
const MAX_ENDED = 1000;

/** Creates a set that keeps only the `MAX_ENDED` ids that were added last. */
export function createEndedIds(): EndedIds {
  const ids = new Set<string>();
  return {
    add(sessionId) {
      ids.add(sessionId);
      const [oldest] = ids;
      if (ids.size > MAX_ENDED && oldest !== undefined) ids.delete(oldest);
    },
    delete: (sessionId) => void ids.delete(sessionId),
    has: (sessionId) => ids.has(sessionId),
  };
}

/**
 * Creates the session of a request from the service's response. Calls `changed` if the visitor gets a new session or the
 * session ends, because the response must report this to the visitor.
 */
export function createRequestSession(
  info: SessionInfo,
  isNew: boolean,
  calls: SessionCalls,
  changed: (change: SessionChange) => void,
): RequestSession {
  const session = { ...info, isNew, identify, end };
  let hasEnded = false;

  async function identify(ids: Ids): Promise<boolean> {
    return await inTime(calls, () => associate(ids));
  }

  async function end(): Promise<boolean> {
    const { sessionId } = session;
    changed("ended session");
    hasEnded = true;
    calls.ended.add(sessionId);
    try {
      return await inTime(calls, () => endSession(calls, sessionId));
    } catch (error) {
      calls.ended.delete(sessionId);
      throw error;
    }
  }

  async function associate(ids: Ids): Promise<void> {
    const { sessionId } = session;
    if (hasEnded) return await replace(ids);
    await flushRecords(calls, sessionId);
    // A request that was in progress at the sign-out must not sign the visitor in again.
    if (calls.ended.has(sessionId)) throw new ProblemError({ code: "session-not-found", status: 404 });
    try {
      Object.assign(session, await calls.transport.update(sessionId, ids));
    } catch (error) {
      if (!needsNewSession(error) || calls.ended.has(sessionId)) throw error;
      await replace(ids);
    }
  }

  async function replace(ids: Ids): Promise<void> {
    Object.assign(session, await calls.transport.create(ids), { isNew: true });
    hasEnded = false;
    changed("new session");
  }

  return guarded(session);
}

/** Returns whether `work` succeeded before the deadline. Rejects if the service refuses. */
async function inTime(calls: SessionCalls, work: () => Promise<void>): Promise<boolean> {
  try {
    await withDeadline(calls.deadline, work());
    return true;
  } catch (error) {
    if (!(error instanceof ProblemError && isRetryable(error))) throw error;
    calls.reportFailure(error);
    return false;
  }
}

/** Sends the session's waiting records. Takes at most half of the deadline: the calls that follow matter more. */
async function flushRecords(calls: SessionCalls, sessionId: string): Promise<void> {
  await withDeadline(calls.deadline / 2, calls.flush(sessionId)).catch(() => undefined);
}

async function endSession(calls: SessionCalls, sessionId: string): Promise<void> {
  await flushRecords(calls, sessionId);
  try {
    await calls.endSession(sessionId);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Members that sessions of other middleware have. An application that reads one here uses the wrong session. */
const foreignMembers = new Set<string | symbol>([
  "cookie",
  "destroy",
  "regenerate",
  "reload",
  "resetMaxAge",
  "save",
  "touch",
]);

/** Returns the session for handlers. It throws if it is used like another middleware's session: data would be lost. */
function guarded(session: RequestSession): RequestSession {
  const refuse = (name: string | symbol): never => {
    throw new TypeError(
      `session.${String(name)}: this is Antechamber's session, which stores no data of the application. To use it together with another session middleware, give sessions() the option property, such as "visitor"`,
    );
  };
  return new Proxy(session, {
    get: (target, name): unknown => (foreignMembers.has(name) ? refuse(name) : Reflect.get(target, name)),
    // These traps throw, because their result `false` would cause an error only in strict mode.
    set: (_target, name) => refuse(name),
    defineProperty: (_target, name) => refuse(name),
    deleteProperty: (_target, name) => refuse(name),
  });
}

/** Returns whether the session belongs to another person (contract.md#rule-1) or has ended. */
function needsNewSession(error: unknown): boolean {
  if (isNotFound(error)) return true;
  if (!(error instanceof ProblemError)) return false;
  const field = error.code === "already-exists" ? error.problem?.field : undefined;
  return field === "customerId" || field === "agentId";
}

function isNotFound(error: unknown): boolean {
  return error instanceof ProblemError && error.code === "session-not-found";
}

const sessions = new WeakMap<object, RequestSession | null>();

/** Stores the session of a framework's request, so that `sessionOf` returns it. */
export function attachSession(request: object, session: RequestSession | null): void {
  sessions.set(request, session);
}

/**
 * Returns the session of a request. Returns `null` on an ignored path, while Antechamber is unavailable, and if there
 * is no session and the option `create` is false.
 */
export function sessionOf(request: object): RequestSession | null {
  return sessions.get(request) ?? null;
}

/** Returns whether a middleware of this package has already handled the request. */
export function hasSession(request: object): boolean {
  return sessions.has(request);
}
