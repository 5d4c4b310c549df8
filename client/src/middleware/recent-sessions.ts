import { handleOf } from "../session-id.ts";

/**
 * The sessions that this process has rotated or ended recently. Other requests may still be in progress with their old
 * ids.
 */
export interface RecentSessions {
  addRotation(sessionId: string, nextId: string): void;
  /** Returns the latest id of the session with this id. */
  latestIdOf(sessionId: string): string;
  /** Adds an ended session by an id, which is then ended, or by its handle: then all ids of the session are. */
  addEnd(idOrHandle: string): void;
  removeEnd(sessionId: string): void;
  hasEnded(sessionId: string): boolean;
}

/** Maximum number of remembered ids: more than a process has simultaneous requests. */
const MAX_IDS = 1000;
/** Stands for the next id of a session that has ended. */
const ENDED = "";

export function createRecentSessions(): RecentSessions {
  const nextIds = new Map<string, string>();
  const add = (key: string, nextId: string) => {
    nextIds.set(key, nextId);
    const [oldest] = nextIds.keys();
    if (nextIds.size > MAX_IDS && oldest !== undefined) nextIds.delete(oldest);
  };
  return {
    addRotation: add,
    latestIdOf: (sessionId) => nextIds.get(sessionId) || sessionId,
    addEnd: (idOrHandle) => add(idOrHandle, ENDED),
    removeEnd: (sessionId) => void nextIds.delete(sessionId),
    hasEnded: (sessionId) => [sessionId, handleOf(sessionId)].some((key) => nextIds.get(key) === ENDED),
  };
}
