import { ProblemError } from "../problem-error.ts";
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
   * Resolves with whether they are stored; `false` when Antechamber did not answer in time.
   * Rejects with a `ProblemError` for ids that are refused: `already-exists`, `invalid-request`,
   * `nothing-to-associate`.
   */
  identify(ids: Ids): Promise<boolean>;
}

/** What a session of a request needs for `identify`. */
export interface Identification {
  readonly transport: Pick<Transport, "create" | "update">;
  /** Milliseconds for the whole of it. */
  readonly deadline: number;
  /** Sends what was recorded in the session before it changes its identity. */
  flush(sessionId: string): Promise<void>;
  failed(error: unknown): void;
  /** Called when the request has got another session: the caller of the request must hear of it. */
  replaced(): void;
}

/** The session of a request from what the server said of it. */
export function createRequestSession(
  info: SessionInfo,
  isNew: boolean,
  context: Identification,
): RequestSession {
  const session = { ...info, isNew, identify };
  // What is meant for another session middleware, such as `req.session.user = …`, must not vanish.
  Object.preventExtensions(session);

  async function identify(ids: Ids): Promise<boolean> {
    try {
      await withDeadline(context.deadline, associate(ids));
      return true;
    } catch (error) {
      if (isCallersFault(error)) throw error;
      context.failed(error);
      return false;
    }
  }

  async function associate(ids: Ids): Promise<void> {
    const { sessionId } = session;
    // Half of the time at most: that the ids are stored matters more.
    await withDeadline(context.deadline / 2, context.flush(sessionId)).catch(() => undefined);
    try {
      Object.assign(session, await context.transport.update(sessionId, ids));
    } catch (error) {
      if (!needsNewSession(error)) throw error;
      Object.assign(session, await context.transport.create(ids), { isNew: true });
      context.replaced();
    }
  }

  return session;
}

/** Another person's session (contract rule 1), or one that ended in the meantime. */
function needsNewSession(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return false;
  if (error.code === "session-not-found") return true;
  const field = error.code === "already-exists" ? error.problem?.field : undefined;
  return field === "customerId" || field === "agentId";
}

function isCallersFault(error: unknown): boolean {
  return error instanceof ProblemError && error.status === 400 && error.problem !== undefined;
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
