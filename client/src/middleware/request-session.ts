import { Attached } from "../attached.ts";
import { isFirstPerson } from "../first-person.ts";
import { isUnanswered, ProblemError } from "../problem-error.ts";
import type { SessionData, SessionInfo, SessionInfoWithData } from "../protocol.ts";
import { handleOf } from "../session-id.ts";
import type { Ids, SessionOptions, Transport } from "../transport.ts";
import { withDeadline } from "./deadline.ts";
import type { RecentSessions } from "./recent-sessions.ts";
import { createDataCalls, type DataTransport, frozen, type SessionDataCalls } from "./request-data.ts";
import type { RotateSession } from "./rotations.ts";

/** The session of a request. `Data` is the type of its data. */
export interface RequestSession<Data extends object = SessionData> extends SessionInfo, SessionDataCalls<Data> {
  /** Whether the session was created for this request, because the visitor had no live session. */
  readonly isNew: boolean;
  /** The first 24 characters of the id. They stay the same when the session gets a new id, and open nothing. */
  readonly handle: string;
  /**
   * Associates ids with the session, for example at a sign-in. Calling it again with the same ids is safe. Records from
   * before remain those of an anonymous visitor. If the session belongs to another customer or agent, another person
   * now uses the browser, so the visitor gets a new session with these ids.
   *
   * The first customer or agent of a session gives it a new id (option `rotate`), which the response reports. So call it
   * before the response begins, and wait for it: after that it stores nothing, and rejects with a `TypeError`.
   *
   * Resolves with `true` if the ids are stored. Resolves with `false` if Antechamber is unavailable or does not respond
   * in time; the next request may try again. Rejects with a `ProblemError` for every refusal, such as `already-exists`,
   * `invalid-request`, `nothing-to-associate` and `identity-mismatch`. If another request has ended the session with
   * `end`, rejects with `session-not-found`; also if another request has given it a new id, and `ids` has no customer and
   * no agent.
   *
   * @example
   * await sessionOf(request)?.identify({ customerId: user.id }, { profile: "remember" });
   */
  identify(ids: Ids, options?: SessionOptions): Promise<boolean>;
  /**
   * Ends the session, for example at a sign-out. Afterwards the session's id cannot be used any more, and the response
   * to this request removes the browser's cookie. This request is recorded before the session ends, so its record has
   * no status. The visitor gets a new session with the next request, or if `identify` is called on this one.
   *
   * Resolves with `true` if the id opens no session any more. Resolves with `false` if Antechamber is unavailable or does
   * not respond in time: then the session expires by itself. The cookie is removed in both cases. Rejects with a
   * `ProblemError` for a refusal.
   */
  end(): Promise<boolean>;
}

/** The change that the response to a request must report to the visitor. */
export type SessionChange = "none" | "new id" | "ended session";

/** The operations that a `RequestSession` calls. */
export interface SessionCalls {
  readonly transport: Pick<Transport, "create" | "retrieve" | "update" | "end"> & DataTransport;
  /** Associates the first person with a session, and gives it a new id; `null` if the option `rotate` is false. */
  readonly rotate: RotateSession | null;
  /** Time limit of `identify`, `update`, `replace` and `end` in milliseconds. */
  readonly deadline: number;
  /** Sends the session's waiting records, so that they are stored before the session's identity changes. */
  flush(sessionId: string): Promise<void>;
  reportFailure(error: unknown): void;
  readonly recent: RecentSessions;
}

/** The part of a request's response that a `RequestSession` needs to know. */
export interface SessionResponse {
  /** Returns whether the response can still report a change to the visitor. */
  canReport(): boolean;
  /** Called if the visitor gets another id or the session ends, because the response must report this. */
  changed(change: SessionChange): void;
}

/** Creates the session of a request from the service's response. */
export function createRequestSession(
  info: SessionInfo | SessionInfoWithData,
  isNew: boolean,
  calls: SessionCalls,
  response: SessionResponse,
): RequestSession {
  let hasEnded = false;
  const data = createDataCalls(calls.transport, () => {
    if (hasEnded) throw sessionNotFound();
    return session.sessionId;
  });
  const session = {
    ...info,
    ...("data" in info && { data: frozen(info.data) }),
    ...{ handle: handleOf(info.sessionId), isNew, identify, end },
    update: (...given: Parameters<typeof data.merge>) => store(() => data.merge(...given)),
    replace: (...given: Parameters<typeof data.replace>) => store(() => data.replace(...given)),
  };

  async function store(work: () => Promise<SessionData>): Promise<boolean> {
    return await inTime(calls, async () => void Object.assign(session, { data: frozen(await work()) }));
  }

  async function identify(ids: Ids, options: SessionOptions = {}): Promise<boolean> {
    const mayRotate = response.canReport();
    return await inTime(calls, () => associate(ids, options, mayRotate));
  }

  async function end(): Promise<boolean> {
    const { sessionId } = session;
    response.changed("ended session");
    hasEnded = true;
    calls.recent.addEnd(sessionId);
    try {
      return await inTime(calls, () => endSession(calls, sessionId));
    } catch (error) {
      calls.recent.removeEnd(sessionId);
      throw error;
    }
  }

  async function associate(ids: Ids, options: SessionOptions, mayRotate: boolean): Promise<void> {
    const { sessionId } = session;
    if (hasEnded) return await replace(ids, options);
    await flushRecords(calls, sessionId);
    // A request that was in progress at the sign-out must not sign the visitor in again.
    if (calls.recent.hasEnded(sessionId)) throw sessionNotFound();
    const isPerson = Boolean(ids.customerId || ids.agentId);
    const rotate = isFirstPerson(session, ids) ? calls.rotate : null;
    if (rotate !== null && !mayRotate) throw tooLate();
    try {
      const send = rotate ?? calls.transport.update;
      await use(sessionId, await send(sessionId, ids, options));
    } catch (error) {
      if (!needsNewSession(error) || calls.recent.hasEnded(sessionId)) throw error;
      // Another request has rotated the session. This one gets neither the new id, which it gives no proof of being
      // allowed to have, nor a new session, whose cookie would replace that of the rotated session.
      if (!isPerson && (await isRetired(calls, sessionId))) throw error;
      await replace(ids, options);
    }
  }

  /** Copies the result of associating ids into the session of the request, and announces its id if that is a new one. */
  async function use(before: string, next: SessionInfo): Promise<void> {
    const isRotated = next.sessionId !== before;
    if (isRotated && calls.recent.hasEnded(before)) {
      // The visitor signed out in the meantime.
      await calls.transport.end(next.sessionId);
      throw sessionNotFound();
    }
    Object.assign(session, next);
    if (!isRotated) return;
    calls.recent.addRotation(before, next.sessionId);
    if (!response.canReport()) calls.reportFailure(tooLate());
    response.changed("new id");
  }

  async function replace(ids: Ids, options: SessionOptions): Promise<void> {
    const created = await calls.transport.create(ids, options);
    const ofNew = { handle: handleOf(created.sessionId), isNew: true, ...("data" in session && { data: {} }) };
    Object.assign(session, created, ofNew);
    hasEnded = false;
    response.changed("new id");
  }

  return new Proxy(session as RequestSession, guard);
}

/** Returns whether `work` succeeded before the deadline. Rejects if the service refuses. */
async function inTime(calls: SessionCalls, work: () => Promise<void>): Promise<boolean> {
  try {
    await withDeadline(calls.deadline, work());
    return true;
  } catch (error) {
    if (!(error instanceof ProblemError && isUnanswered(error))) throw error;
    calls.reportFailure(error);
    return false;
  }
}

/** Returns whether a rotation has retired the id just now: it still opens the anonymous session (contract.md#rule-9). */
async function isRetired(calls: SessionCalls, sessionId: string): Promise<boolean> {
  return (await calls.transport.retrieve(sessionId)).sessionId === sessionId;
}

/** Returns the error for a sign-in whose new id the visitor does not get. */
function tooLate(): TypeError {
  return new TypeError(
    "identify() was called or completed after the response had begun, which was to give the visitor the session's new id: call it before, and wait for it",
  );
}

function sessionNotFound(): ProblemError {
  return new ProblemError({ code: "session-not-found", status: 404 });
}

/** Sends the session's waiting records. Takes at most half of the deadline: the calls that follow matter more. */
async function flushRecords(calls: SessionCalls, sessionId: string): Promise<void> {
  await withDeadline(calls.deadline / 2, calls.flush(sessionId)).catch(() => undefined);
}

async function endSession(calls: SessionCalls, sessionId: string): Promise<void> {
  await flushRecords(calls, sessionId);
  // Requests with an older id of the session may be in progress too.
  if (await calls.transport.end(sessionId)) calls.recent.addEnd(handleOf(sessionId));
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

/** Makes a session throw if it is used like another middleware's session: data would be lost. */
const guard: ProxyHandler<RequestSession> = {
  get(target, name): unknown {
    if (name === "data" && !(name in target)) throw noData();
    return foreignMembers.has(name) ? refuse(name) : Reflect.get(target, name);
  },
  // These traps throw, because their result `false` would cause an error only in strict mode.
  set: (_target, name) => refuse(name),
  defineProperty: (_target, name) => refuse(name),
  deleteProperty: (_target, name) => refuse(name),
};

function refuse(name: string | symbol): never {
  throw new TypeError(
    `session.${String(name)}: this is Antechamber's session: await session.update({…}) stores data of the application. To use it together with another session middleware, give sessions() the option property, such as "visitor"`,
  );
}

/** Returns the error for reading data without the option `data`. Without the error, the data would look empty. */
function noData(): TypeError {
  return new TypeError("session.data: give sessions() the option data: true");
}

/** Returns whether the session belongs to another person (contract.md#rule-1), or the id opens no session any more. */
function needsNewSession(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return false;
  if (error.code === "session-not-found") return true;
  const field = error.code === "already-exists" ? error.problem?.field : undefined;
  return field === "customerId" || field === "agentId";
}

const sessions = new Attached<RequestSession | null>();

/** Stores the session of a framework's request, so that `sessionOf` returns it. */
export function attachSession(request: object, session: RequestSession | null): void {
  sessions.set(request, session);
}

/**
 * Returns the session of a request. Returns `null` on an ignored path, while Antechamber is unavailable, and if there
 * is no session and the option `create` is false.
 */
export function sessionOf<Data extends object = SessionData>(request: object): RequestSession<Data> | null {
  return (sessions.get(request) ?? null) as RequestSession<Data> | null;
}

/** Returns whether a middleware of this package has already handled the request. */
export function hasSession(request: object): boolean {
  return sessions.get(request) !== undefined;
}
