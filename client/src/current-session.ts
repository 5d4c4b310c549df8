import { isFirstPerson } from "./first-person.ts";
import type { Mutex } from "./mutex.ts";
import { ProblemError } from "./problem-error.ts";
import type { SessionInfo } from "./protocol.ts";
import { handleOf, isRetiredBy } from "./session-id.ts";
import { randomKey, type SessionOperations } from "./session-operations.ts";
import { sessionIdOf } from "./session-state.ts";
import type { SessionStorage } from "./session-storage.ts";
import type { Ids, SessionOptions, UpdateOptions } from "./transport.ts";

/** Maximum age in milliseconds of a cached session. An older one is requested again from the service. */
const MAX_AGE_MS = 60_000;

/** The session of one visitor, shared by all tabs of the site. It is created and changed only under the mutex. */
export interface CurrentSession extends Pick<SessionStorage, "resetAt" | "isRetired" | "forget"> {
  /** Returns the session's id; empty if this tab knows none. */
  id(): string;
  /**
   * Returns the session. Creates or replaces it if necessary; simultaneous calls share the result. If a reset happens
   * during a call, the call returns the session that was created after the reset.
   */
  get(): Promise<SessionInfo>;
  /** Returns the id that replaced `sessionId` for the same visitor; `undefined` if none did. */
  successorOf(sessionId: string): Promise<string | undefined>;
  /**
   * Associates ids with the session, and rotates it if somebody is identified in it for the first time. If the session
   * belongs to another person, creates a new session with the ids. Rejects if a reset happens during the call.
   */
  identify(ids: Ids, options: SessionOptions | undefined): Promise<SessionInfo>;
  /**
   * Uses the id `sessionId`, which the site's server issued to replace `before`. Does nothing if another id has already
   * replaced `before`, if a reset has forgotten the session, or if `sessionId` is retired.
   */
  adopt(sessionId: string, before: string): void;
  /** Forgets the session. The next `get` creates a new one. */
  reset(): void;
}

/** Creates the session of a visitor. `rotates`: whether it gets a new id when somebody is identified in it. */
export function createCurrentSession(
  transport: SessionOperations,
  storage: SessionStorage,
  withLock: Mutex,
  rotates: boolean,
): CurrentSession {
  const { resetAt } = storage;
  let cached: { entry: string; info: SessionInfo; at: number } | undefined;
  let refreshing: Promise<SessionInfo> | undefined;
  /** The id of the session that was replaced last, and the id of the session that replaced it. */
  let replaced: { before: string; by: string } | undefined;
  /** The rotation that was requested last, as text, and its Idempotency-Key. */
  let lastRotation: { request: string; key: string } | undefined;

  const id = () => sessionIdOf(storage.read());
  /** Returns the session as this tab knows it, even if that is not recent. */
  const known = () => (cached?.entry === storage.read() ? cached : undefined);

  async function get(): Promise<SessionInfo> {
    for (;;) {
      const session = known();
      // `Math.abs`, because the clock may be set back: an old entry must not look fresh then.
      if (session && Math.abs(Date.now() - session.at) < MAX_AGE_MS) return session.info;
      const resetBefore = resetAt();
      const info = await refresh();
      if (resetAt() === resetBefore) return info;
    }
  }

  function refresh(): Promise<SessionInfo> {
    if (refreshing) return refreshing;
    const refreshed = withLock(load).finally(() => {
      if (refreshing === refreshed) refreshing = undefined;
    });
    refreshing = refreshed;
    return refreshed;
  }

  async function load(): Promise<SessionInfo> {
    for (;;) {
      const resetBefore = resetAt();
      const entry = storage.read();
      const before = sessionIdOf(entry);
      const info = before ? await transport.retrieve(before) : await transport.create();
      // A reset or another session has made this result outdated, so the request is repeated.
      if (resetAt() !== resetBefore || storage.read() !== entry) continue;
      if (info.sessionId !== before) replaced = { before, by: info.sessionId };
      const isSame = entry.startsWith(`${info.sessionId}.`);
      return cache(info, storage.write(info.sessionId, isSame ? entry : undefined));
    }
  }

  function cache(info: SessionInfo, entry: string): SessionInfo {
    cached = { entry, info, at: Date.now() };
    return info;
  }

  async function successorOf(sessionId: string): Promise<string | undefined> {
    if (sessionId === id()) await refresh();
    const current = id();
    if (isRetiredBy(sessionId, current)) return current;
    return replaced?.before === sessionId ? replaced.by : undefined;
  }

  function identify(ids: Ids, options: SessionOptions | undefined): Promise<SessionInfo> {
    const resetBefore = resetAt();
    const check = () => {
      if (resetAt() !== resetBefore) throw new ProblemError({ code: "reset" });
    };
    return withLock(async () => {
      for (;;) {
        check();
        const mayRotate = rotates && id() && (ids.customerId || ids.agentId);
        // Ids, once set, do not change, so what this tab knows need not be recent.
        const isFirst = mayRotate && isFirstPerson(known()?.info ?? (await load()), ids);
        check();
        const before = id();
        const rotation = isFirst && before ? rotationOf(before, ids, options) : undefined;
        const info = await associate(before, ids, options, rotation, check);
        if (!info) continue;
        // Nobody gets the new id after a reset, so the session is ended.
        if (resetAt() !== resetBefore && info.sessionId !== before) {
          transport.end(info.sessionId).catch(() => undefined);
        }
        check();
        const isOther = handleOf(info.sessionId) !== handleOf(before);
        // If the site's server has issued another id in the meantime, the loop continues and associates the ids with
        // that session instead.
        if (isOther || [before, info.sessionId].includes(id())) return cache(info, storage.write(info.sessionId));
      }
    });
  }

  /** Returns the options of a rotation. A repeated one has the same key, because the response may have been lost. */
  function rotationOf(...given: readonly [sessionId: string, ids: Ids, options: SessionOptions | undefined]) {
    const request = JSON.stringify(given);
    if (lastRotation?.request !== request) lastRotation = { request, key: randomKey() };
    return { rotate: true, idempotencyKey: lastRotation.key };
  }

  /**
   * Associates ids with the session, or with a new session if necessary. Returns `undefined` if the session's id was
   * replaced in the meantime. `check` throws if a reset has happened.
   */
  async function associate(
    sessionId: string,
    ids: Ids,
    options: SessionOptions | undefined,
    rotation: UpdateOptions | undefined,
    check: () => void,
  ): Promise<SessionInfo | undefined> {
    if (!sessionId) return await transport.create(ids, options);
    try {
      return await transport.update(sessionId, ids, { ...options, ...rotation });
    } catch (error) {
      check();
      const { code, problem } = error as ProblemError;
      if (code === "session-not-found") return id() === sessionId ? await transport.create(ids, options) : undefined;
      const isAnothers = problem?.field === "customerId" || problem?.field === "agentId";
      if (!isAnothers) throw error;
    }
    try {
      return await transport.create(ids, options);
    } catch (error) {
      check();
      // The visit belongs to the other person's session (contract.md#rule-2), so the new session is created without it.
      if ((error as ProblemError).code !== "already-exists") throw error;
      return await transport.create({ ...ids, visitId: null }, options);
    }
  }

  function adopt(sessionId: string, before: string): void {
    const current = id();
    const isNext = current === before || isRetiredBy(current, sessionId);
    if (!isNext || isRetiredBy(sessionId, current) || storage.isForgotten(sessionId)) return;
    replaced = { before, by: sessionId };
    storage.write(sessionId);
  }

  return {
    ...storage,
    id,
    get,
    successorOf,
    identify,
    adopt,
    reset() {
      storage.reset();
      cached = refreshing = replaced = undefined;
    },
  };
}
