import { ProblemError } from "../problem-error.ts";
import type { SessionInfo, SessionInfoWithData } from "../protocol.ts";
import type { Transport } from "../transport.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { withDeadline } from "./deadline.ts";
import type { Settings } from "./options.ts";

/** The session of a request. */
export interface ResolvedSession {
  /** The session, with its data if the option asks for them; `null` if there is none. */
  readonly info: SessionInfo | SessionInfoWithData | null;
  readonly isNew: boolean;
  /** Whether Antechamber was available. If not, the request may have a session that was not found. */
  readonly isAvailable: boolean;
}

/** Finds the session of a request. */
export interface SessionResolver {
  /** Returns the session of the first id that has a live one. Resolves within the deadline, and never rejects. */
  resolve(ids: readonly string[]): Promise<ResolvedSession>;
  /**
   * Adds the data to a session that another part of the application has found, if the option asks for them. There is no
   * session if it has ended since then.
   */
  complete(found: ResolvedSession): Promise<ResolvedSession>;
}

type Calls = Pick<Transport, "create" | "retrieve" | "retrieveWithData">;

const noSession: ResolvedSession = { info: null, isNew: false, isAvailable: true };
const unavailable: ResolvedSession = { info: null, isNew: false, isAvailable: false };

export function createSessionResolver(
  calls: Calls,
  { create, data, deadline, reportFailure }: Pick<Settings, "create" | "data" | "deadline" | "reportFailure">,
  breaker: CircuitBreaker,
): SessionResolver {
  const retrieve = (id: string) => withOneRetry(() => (data ? calls.retrieveWithData(id) : calls.retrieve(id)));

  async function find(ids: readonly string[]): Promise<ResolvedSession> {
    let created: SessionInfo | null = null;
    for (const id of ids) {
      const info = await retrieve(id);
      if (info.sessionId === id) return { info, isNew: false, isAvailable: true };
      // For an unknown id, Antechamber returns a new session (contract.md#rule-3). That session is not stored
      // (contract.md#rule-8), so it does no harm if a later id has a live session.
      created = info;
    }
    if (!create) return noSession;
    created ??= { ...(await withOneRetry(() => calls.create())), ...(data && { data: {} }) };
    return { info: created, isNew: true, isAvailable: true };
  }

  async function inTime(work: () => Promise<ResolvedSession>): Promise<ResolvedSession> {
    if (!breaker.allowsCall()) return unavailable;
    try {
      const session = await withDeadline(deadline, work());
      breaker.recordSuccess();
      return session;
    } catch (error) {
      breaker.recordFailure();
      reportFailure(error, 0);
      return unavailable;
    }
  }

  return {
    async resolve(ids) {
      return ids.length === 0 && !create ? noSession : await inTime(() => find(ids));
    },
    async complete(found) {
      const { info } = found;
      if (!data || info === null) return found;
      return await inTime(async () => {
        const known = await retrieve(info.sessionId);
        // A session that has ended meanwhile is not replaced here: the visitor might never get the id of the new one.
        return known.sessionId === info.sessionId ? { ...found, info: known } : noSession;
      });
    },
  };
}

/**
 * Repeats a call that failed because of the network: the server may have closed the idle connection as the request was
 * sent. Only for creating and retrieving, which can be repeated safely.
 */
async function withOneRetry<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof ProblemError && error.code === "network") return await call();
    throw error;
  }
}
