import type { Mutex } from "./mutex.ts";
import { ProblemError } from "./problem-error.ts";
import type { SessionInfo } from "./protocol.ts";
import { sessionIdOf } from "./session-state.ts";
import type { SessionStorage } from "./session-storage.ts";
import type { Ids, Transport } from "./transport.ts";

/** The age in milliseconds up to which a cached session is used without asking the service. */
const MAX_AGE_MS = 60_000;

/** The session of one visitor, the same in all tabs. Only tasks of the mutex create or change it. */
export class CurrentSession {
  readonly #transport: Transport;
  readonly #storage: SessionStorage;
  readonly #withLock: Mutex;
  #cached: { entry: string; info: SessionInfo; at: number } | undefined;
  #refreshing: Promise<SessionInfo> | undefined;
  /** The last session that was replaced, and its successor. */
  #replaced: { before: string | undefined; by: string } | undefined;

  constructor(transport: Transport, storage: SessionStorage, withLock: Mutex) {
    this.#transport = transport;
    this.#storage = storage;
    this.#withLock = withLock;
  }

  /** Returns the session's id if this tab knows it. */
  id(): string | undefined {
    return sessionIdOf(this.#storage.read());
  }

  /** Returns a number that every reset in any tab raises. */
  generation(): number {
    return this.#storage.generation();
  }

  /**
   * Returns the session, created or replaced if needed, once for all simultaneous calls. A call made
   * before a reset gets the session created after it.
   */
  async get(): Promise<SessionInfo> {
    for (;;) {
      const cached = this.#cached;
      // In both directions: a changed clock must not make old data look fresh.
      const isFresh = cached && Math.abs(Date.now() - cached.at) < MAX_AGE_MS;
      if (isFresh && cached.entry === this.#storage.read()) return cached.info;
      const generation = this.generation();
      const info = await this.#refresh();
      if (this.generation() === generation) return info;
    }
  }

  /** Returns the session that replaced this one for the same visitor; `undefined` if none did. */
  async successorOf(sessionId: string): Promise<string | undefined> {
    if (sessionId === this.id()) await this.#refresh();
    return this.#replaced?.before === sessionId ? this.#replaced.by : undefined;
  }

  /** Associates ids, in a new session if this one is another person's. Rejects after a reset. */
  identify(ids: Ids): Promise<SessionInfo> {
    const generation = this.generation();
    const check = () => {
      if (this.generation() !== generation) throw resetError();
    };
    return this.#withLock(async () => {
      for (;;) {
        check();
        const before = this.id();
        const info = await associate(this.#transport, before, ids, check);
        check();
        // If the site's server has issued another session meanwhile, the ids belong to that one.
        if (info.sessionId !== before || this.id() === before) {
          return this.#cache(info, this.#storage.write(info.sessionId));
        }
      }
    });
  }

  /**
   * Uses a session that the site's server issued in place of `before`. Does nothing if another session has
   * replaced `before` already, or if the new one was forgotten.
   */
  adopt(sessionId: string, before: string | undefined): void {
    if (this.id() !== before || this.#storage.isForgotten(sessionId)) return;
    this.#replaced = { before, by: sessionId };
    this.#storage.write(sessionId);
  }

  /** Forgets a session that the site's server issued to the visitor before a reset. */
  forget(sessionId: string): void {
    this.#storage.forget(sessionId);
  }

  /** Forgets the session: the next `get` creates a new one. */
  reset(): void {
    this.#storage.reset();
    this.#cached = this.#refreshing = this.#replaced = undefined;
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
      const generation = this.generation();
      const entry = this.#storage.read();
      const before = sessionIdOf(entry);
      const info = before ? await this.#transport.retrieve(before) : await this.#transport.create();
      // After a reset, or if another session has arrived meanwhile, this one is out of date.
      if (this.generation() !== generation || this.#storage.read() !== entry) continue;
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

/** Returns the error for a call made before a reset that must not be carried out after it. */
export function resetError(): ProblemError {
  const detail = "reset() was called before this was done";
  return new ProblemError({ code: "reset", detail });
}

/** Associates ids with the session, or with a new one if necessary. `check` throws after a reset. */
async function associate(
  transport: Transport,
  sessionId: string | undefined,
  ids: Ids,
  check: () => void,
): Promise<SessionInfo> {
  if (!sessionId) return await transport.create(ids);
  try {
    return await transport.update(sessionId, ids);
  } catch (error) {
    check();
    const { code, problem } = error as ProblemError;
    if (code === "session-not-found") return await transport.create(ids);
    const isAnothers = problem?.field === "customerId" || problem?.field === "agentId";
    if (!isAnothers) throw error;
    return await createForNextPerson(transport, ids, check);
  }
}

/** Creates a session for a person who uses the browser after another one. */
async function createForNextPerson(
  transport: Transport,
  ids: Ids,
  check: () => void,
): Promise<SessionInfo> {
  try {
    return await transport.create(ids);
  } catch (error) {
    check();
    // The visit belongs to the other person (contract.md#rule-2): create the session without it.
    if ((error as ProblemError).code !== "already-exists") throw error;
    return await transport.create({ ...ids, visitId: null });
  }
}
