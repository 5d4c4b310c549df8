import { isPassing, ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import type { Ids, Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";

/** The session that a request was made in. */
export interface RequestSession extends SessionInfo {
  /** Whether it was made for this request: the visitor had none that is alive. */
  readonly isNew: boolean;
  /**
   * Associates ids with the session, as a sign-in does; giving the same ones again is safe. What was
   * recorded so far stays the anonymous visitor's. When the session belongs to another customer or
   * agent already, the browser changed hands: it gets a new session with these ids.
   *
   * Resolves with whether they are stored; `false` if Antechamber did not respond in time or is
   * unavailable: the next request may try again. Rejects with a `ProblemError` for every refusal,
   * such as `already-exists`, `invalid-request`, `nothing-to-associate` and `identity-mismatch`, and
   * with `session-not-found` if another request has ended the session with `end`.
   */
  identify(ids: Ids): Promise<boolean>;
  /**
   * Ends the session, as a sign-out does: its id opens nothing from then on, and the response to this
   * request makes the browser forget the cookie. The request is recorded before, without its status.
   * The next request starts another session; `identify`
   * on this one does so at once.
   *
   * Resolves with `true` if the session has ended, now or before; `false` if Antechamber did
   * not respond in time. The cookie is removed in any case. Rejects with a `ProblemError` for a refusal.
   */
  end(): Promise<boolean>;
}

/** What the response to a request has to announce to the visitor. */
export type News = "nothing" | "new session" | "ended session";

/** The functions with which the session of a request changes itself. */
export interface SessionCalls {
  readonly transport: Pick<Transport, "create" | "update">;
  /** Ends a session; rejects with `session-not-found` if there is none. */
  endSession(sessionId: string): Promise<unknown>;
  /** The timeout of a whole change in milliseconds. */
  readonly deadline: number;
  /** Sends what was recorded in the session before it changes its identity. */
  flush(sessionId: string): Promise<void>;
  failed(error: unknown): void;
  /** Ids of recently ended sessions. */
  readonly ended: EndedIds;
}

/** The ids of recently ended sessions. */
export interface EndedIds {
  add(sessionId: string): void;
  delete(sessionId: string): void;
  has(sessionId: string): boolean;
}

/** More than the number of simultaneous requests. */
const MAX_ENDED = 1000;

/** Remembers the latest ids that were added. */
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
 * Creates the session of a request from the server's response. Calls `changed` if another session, or the end
 * of this one, must be announced to the visitor.
 */
export function createRequestSession(
  info: SessionInfo,
  isNew: boolean,
  calls: SessionCalls,
  changed: (news: News) => void,
): RequestSession {
  const session = { ...info, isNew, identify, end };
  let hasEnded = false;

  async function identify(ids: Ids): Promise<boolean> {
    return await inTime(() => associate(ids));
  }

  async function end(): Promise<boolean> {
    const { sessionId } = session;
    changed("ended session");
    hasEnded = true;
    calls.ended.add(sessionId);
    try {
      return await inTime(() => endNow(sessionId));
    } catch (error) {
      calls.ended.delete(sessionId);
      throw error;
    }
  }

  async function endNow(sessionId: string): Promise<void> {
    await flushed(sessionId);
    try {
      await calls.endSession(sessionId);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async function inTime(work: () => Promise<void>): Promise<boolean> {
    try {
      await withDeadline(calls.deadline, work());
      return true;
    } catch (error) {
      if (!(error instanceof ProblemError && isPassing(error))) throw error;
      calls.failed(error);
      return false;
    }
  }

  /** At most half of the time, since the calls after it matter more. */
  async function flushed(sessionId: string): Promise<void> {
    await withDeadline(calls.deadline / 2, calls.flush(sessionId)).catch(() => undefined);
  }

  async function associate(ids: Ids): Promise<void> {
    const { sessionId } = session;
    if (hasEnded) return await replace(ids);
    await flushed(sessionId);
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

/** Members of sessions of other middleware; reading them here is certainly a mistake. */
const foreign = new Set<string | symbol>([
  "cookie",
  "destroy",
  "regenerate",
  "reload",
  "resetMaxAge",
  "save",
  "touch",
]);

/** The session as handlers get it: uses meant for another session middleware fail instead of being lost. */
function guarded(session: RequestSession): RequestSession {
  const refuse = (name: string | symbol): never => {
    throw new TypeError(
      `session.${String(name)}: this session is Antechamber's and takes no data. Beside another session middleware give sessions() the option property, such as "visitor"`,
    );
  };
  return new Proxy(session, {
    get: (target, name): unknown => (foreign.has(name) ? refuse(name) : Reflect.get(target, name)),
    // A thrown error also reaches code that is not strict, where returning `false` would be ignored.
    set: (_target, name) => refuse(name),
    defineProperty: (_target, name) => refuse(name),
    deleteProperty: (_target, name) => refuse(name),
  });
}

/** Another person's session (contract.md#rule-1), or one that ended in the meantime. */
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

/** Remembers the session of a framework's request for `sessionOf`. */
export function attachSession(request: object, session: RequestSession | null): void {
  sessions.set(request, session);
}

/**
 * The session of a request that the middleware has seen; `null` when it has none: on ignored paths,
 * without a session where none is created, and while Antechamber is away.
 */
export function sessionOf(request: object): RequestSession | null {
  return sessions.get(request) ?? null;
}

/** Whether the middleware has seen the request. */
export function hasSession(request: object): boolean {
  return sessions.has(request);
}
