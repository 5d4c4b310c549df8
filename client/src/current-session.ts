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
export class CurrentSession {
  readonly #transport: SessionOperations;
  readonly #storage: SessionStorage;
  readonly #withLock: Mutex;
  readonly #rotates: boolean;
  #cached: { entry: string; info: SessionInfo; at: number } | undefined;
  #refreshing: Promise<SessionInfo> | undefined;
  /** The id of the session that was replaced last, and the id of the session that replaced it. */
  #replaced: { before: string | undefined; by: string } | undefined;
  /** The rotation that was requested last, as text, and its Idempotency-Key. */
  #rotation: { request: string; key: string } | undefined;

  /** `rotates`: whether the session gets a new id when somebody is identified in it. */
  constructor(transport: SessionOperations, storage: SessionStorage, withLock: Mutex, rotates: boolean) {
    this.#transport = transport;
    this.#storage = storage;
    this.#withLock = withLock;
    this.#rotates = rotates;
  }

  /** Returns the session's id if this tab knows it. */
  id(): string | undefined {
    return sessionIdOf(this.#storage.read());
  }

  /** Returns the time of the last reset in any tab, which rises with every reset; 0 if there was none. */
  resetAt(): number {
    return this.#storage.resetAt();
  }

  /**
   * Returns the session. Creates or replaces it if necessary; simultaneous calls share the result. If a reset happens
   * during a call, the call returns the session that was created after the reset.
   */
  async get(): Promise<SessionInfo> {
    for (;;) {
      const cached = this.#cached;
      // `Math.abs`, because the clock may be set back: an old entry must not look fresh then.
      const isFresh = cached && Math.abs(Date.now() - cached.at) < MAX_AGE_MS;
      if (isFresh && cached.entry === this.#storage.read()) return cached.info;
      const resetAt = this.resetAt();
      const info = await this.#refresh();
      if (this.resetAt() === resetAt) return info;
    }
  }

  /** Returns the id that replaced `sessionId` for the same visitor; `undefined` if none did. */
  async successorOf(sessionId: string): Promise<string | undefined> {
    if (sessionId === this.id()) await this.#refresh();
    const current = this.id();
    if (current && isRetiredBy(sessionId, current)) return current;
    return this.#replaced?.before === sessionId ? this.#replaced.by : undefined;
  }

  /**
   * Associates ids with the session, and rotates it if somebody is identified in it for the first time. If the session
   * belongs to another person, creates a new session with the ids. Rejects if a reset happens during the call.
   */
  identify(ids: Ids, options: SessionOptions | undefined): Promise<SessionInfo> {
    const resetAt = this.resetAt();
    const check = () => {
      if (this.resetAt() !== resetAt) throw resetError();
    };
    return this.#withLock(async () => {
      for (;;) {
        check();
        const mayRotate = this.#rotates && this.id() && (ids.customerId || ids.agentId);
        const isFirst = mayRotate && isFirstPerson(await this.#known(), ids);
        check();
        const before = this.id();
        const rotation = before && isFirst ? this.#rotationOf(before, ids, options) : undefined;
        const info = await this.#associate(before, ids, { ...options, ...rotation }, check);
        // Nobody gets the new id after a reset, so the session is ended.
        if (this.resetAt() !== resetAt && info && info.sessionId !== before) {
          this.#transport.end(info.sessionId).catch(() => undefined);
        }
        check();
        const current = this.id();
        const isOther = handleOf(info?.sessionId ?? "") !== handleOf(before ?? "");
        // If the site's server has issued another id in the meantime, the loop continues and associates the ids with
        // that session instead.
        if (info && (isOther || current === before || current === info.sessionId)) {
          return this.#cache(info, this.#storage.write(info.sessionId));
        }
      }
    });
  }

  /**
   * Uses the id `sessionId`, which the site's server issued to replace `before`. Does nothing if another id has already
   * replaced `before`, if a reset has forgotten the session, or if `sessionId` is retired.
   */
  adopt(sessionId: string, before: string | undefined): void {
    const current = this.id() ?? "";
    const isNext = current === (before ?? "") || isRetiredBy(current, sessionId);
    if (!isNext || isRetiredBy(sessionId, current) || this.#storage.isForgotten(sessionId)) return;
    this.#replaced = { before, by: sessionId };
    this.#storage.write(sessionId);
  }

  /** Returns whether the browser has stored a later id of the same session. */
  isRetired(sessionId: string): boolean {
    return this.#storage.isRetired(sessionId);
  }

  /** Forgets a session that the site's server issued before a reset. */
  forget(sessionId: string): void {
    this.#storage.forget(sessionId);
  }

  /** Forgets the session. The next `get` creates a new one. */
  reset(): void {
    this.#storage.reset();
    this.#cached = this.#refreshing = this.#replaced = undefined;
  }

  /** Returns the session as this tab knows it, even if that is not recent: ids, once set, do not change. */
  async #known(): Promise<SessionInfo> {
    const cached = this.#cached;
    return cached?.entry === this.#storage.read() && cached ? cached.info : await this.#load();
  }

  /** Returns the options of a rotation. A repeated one has the same key, because the response may have been lost. */
  #rotationOf(...request: readonly [sessionId: string, ids: Ids, options: SessionOptions | undefined]): UpdateOptions {
    const text = JSON.stringify(request);
    if (this.#rotation?.request !== text) this.#rotation = { request: text, key: randomKey() };
    return { rotate: true, idempotencyKey: this.#rotation.key };
  }

  /**
   * Associates ids with the session, or with a new session if necessary. Returns `undefined` if the session's id was
   * replaced in the meantime. `check` throws if a reset has happened.
   */
  async #associate(
    sessionId: string | undefined,
    ids: Ids,
    options: UpdateOptions,
    check: () => void,
  ): Promise<SessionInfo | undefined> {
    const transport = this.#transport;
    const { profile, label } = options;
    if (!sessionId) return await transport.create(ids, { profile, label });
    try {
      return await transport.update(sessionId, ids, options);
    } catch (error) {
      check();
      const { code, problem } = error as ProblemError;
      if (code === "session-not-found") {
        return this.id() === sessionId ? await transport.create(ids, { profile, label }) : undefined;
      }
      const isAnothers = problem?.field === "customerId" || problem?.field === "agentId";
      if (!isAnothers) throw error;
      return await createForNextPerson(transport, ids, { profile, label }, check);
    }
  }

  #refresh(): Promise<SessionInfo> {
    if (this.#refreshing) return this.#refreshing;
    const refreshing = this.#withLock(() => this.#load()).finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = undefined;
    });
    this.#refreshing = refreshing;
    return refreshing;
  }

  async #load(): Promise<SessionInfo> {
    for (;;) {
      const resetAt = this.resetAt();
      const entry = this.#storage.read();
      const before = sessionIdOf(entry);
      const info = before ? await this.#transport.retrieve(before) : await this.#transport.create();
      // A reset or another session has made this result outdated, so the request is repeated.
      if (this.resetAt() !== resetAt || this.#storage.read() !== entry) continue;
      if (info.sessionId !== before) this.#replaced = { before, by: info.sessionId };
      const isSame = entry?.startsWith(`${info.sessionId}.`);
      return this.#cache(info, this.#storage.write(info.sessionId, isSame ? entry : undefined));
    }
  }

  #cache(info: SessionInfo, entry: string): SessionInfo {
    this.#cached = { entry, info, at: Date.now() };
    return info;
  }
}

/** Returns the error for a call that was made before a reset and is not carried out after it. */
export function resetError(): ProblemError {
  const detail = "reset() was called before this was done";
  return new ProblemError({ code: "reset", detail });
}

/** Creates a session for a person who uses the same browser after another person. */
async function createForNextPerson(
  transport: SessionOperations,
  ids: Ids,
  options: SessionOptions,
  check: () => void,
): Promise<SessionInfo> {
  try {
    return await transport.create(ids, options);
  } catch (error) {
    check();
    // The visit belongs to the other person's session (contract.md#rule-2), so the new session is created without it.
    if ((error as ProblemError).code !== "already-exists") throw error;
    return await transport.create({ ...ids, visitId: null }, options);
  }
}
