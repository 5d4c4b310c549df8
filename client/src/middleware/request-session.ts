import { isRetryable, ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import type { Ids, Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

/** The session of a request. */
export interface RequestSession extends SessionInfo {
  /** Whether it was created for this request, because the visitor had no live one. */
  readonly isNew: boolean;
  /**
   * Associates ids with the session, for example at a sign-in. Associating the same ids again is safe. Earlier
   * records stay those of an anonymous visitor. If the session belongs to another customer or agent, another
   * person uses the browser: the visitor gets a new session with these ids.
   *
   * Resolves with `true` if the ids are stored; with `false` if Antechamber did not respond in time or is
   * unavailable: the next request may try again. Rejects with a `ProblemError` for every refusal,
   * such as `already-exists`, `invalid-request`, `nothing-to-associate` and `identity-mismatch`, and
   * with `session-not-found` if another request has ended the session with `end`.
   *
   * @example
   * await sessionOf(request)?.identify({ customerId: user.id });
   */
  identify(ids: Ids): Promise<boolean>;
  /**
   * Ends the session, for example at a sign-out. Its id opens nothing afterwards, and the response to this request
   * removes the browser's cookie. The request is recorded before, without its status. The next request starts
   * another session; calling `identify` on this one also does.
   *
   * Resolves with `true` if the session has ended, now or earlier; with `false` if Antechamber did not respond in
   * time. The cookie is removed in any case. Rejects with a `ProblemError` for a refusal.
   */
  end(): Promise<boolean>;
}

/** The change of the session that the response to a request reports to the visitor. */
export type SessionChange = "none" | "new session" | "ended session";

/** The operations that a request's session uses. */
export interface SessionCalls {
  readonly transport: Pick<Transport, "create" | "update">;
  /** Ends a session; rejects with `session-not-found` if there is none. */
  endSession(sessionId: string): Promise<unknown>;
  /** The time limit of `identify` and `end` in milliseconds. */
  readonly deadline: number;
  /** Sends the session's waiting records, so that they are stored before its identity changes. */
  flush(sessionId: string): Promise<void>;
  reportFailure(error: unknown): void;
  /** Ids of recently ended sessions. */
  readonly ended: EndedIds;
}

/** The ids of recently ended sessions. */
export interface EndedIds {
  add(sessionId: string): void;
  delete(sessionId: string): void;
  has(sessionId: string): boolean;
}

/** More than the number of simultaneous requests of a process. */
const MAX_ENDED = 1000;

/** Creates a set that keeps only the ids added last. */
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
 * Creates the session of a request from the service's response. Calls `changed` when the response must report
 * another session, or the end of this one, to the visitor.
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
    // A request that was in progress at the sign-out must not sign in again.
    if (calls.ended.has(sessionId))
      throw new ProblemError({ code: "session-not-found", status: 404 });
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

/** Returns whether the work was done in time. Rejects with the service's refusals. */
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

/** Uses at most half of the time, since the calls after it are more important. */
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

/** Members that only sessions of other middleware have: reading them here is a mistake. */
const foreignMembers = new Set<string | symbol>([
  "cookie",
  "destroy",
  "regenerate",
  "reload",
  "resetMaxAge",
  "save",
  "touch",
]);

/** Returns the session for handlers. Code for another session middleware fails with it, instead of losing data. */
function guarded(session: RequestSession): RequestSession {
  const refuse = (name: string | symbol): never => {
    throw new TypeError(
      `session.${String(name)}: this is Antechamber's session, which stores no data of the application. To use it together with another session middleware, give sessions() the option property, such as "visitor"`,
    );
  };
  return new Proxy(session, {
    get: (target, name): unknown =>
      foreignMembers.has(name) ? refuse(name) : Reflect.get(target, name),
    // Throws, because code that is not in strict mode would not notice `false`.
    set: (_target, name) => refuse(name),
    defineProperty: (_target, name) => refuse(name),
    deleteProperty: (_target, name) => refuse(name),
  });
}

/** Returns whether the session is another person's (contract.md#rule-1), or has ended. */
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

/** Stores the session of a framework's request for `sessionOf`. */
export function attachSession(request: object, session: RequestSession | null): void {
  sessions.set(request, session);
}

/**
 * Returns the session of a request; `null` if it has none: on an ignored path, if there is no session and the
 * option `create` is false, and while Antechamber is unavailable.
 */
export function sessionOf(request: object): RequestSession | null {
  return sessions.get(request) ?? null;
}

/** Returns whether the middleware has handled the request already. */
export function hasSession(request: object): boolean {
  return sessions.has(request);
}
