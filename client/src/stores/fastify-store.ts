import type { FastifySessionObject, SessionStore } from "@fastify/session";
import type { FastifyRequest, Session } from "fastify";
import { cookieFrom } from "./cookie-attributes.ts";
import { LoadedSessions, replaceSession, type SessionObject } from "./loaded-sessions.ts";
import type { RequestIds } from "./request-ids.ts";
import { settle } from "./settle.ts";
import type { StoreParts } from "./store-options.ts";

type Done = (error?: unknown) => void;
type Method = (this: unknown, ...given: unknown[]) => unknown;

/** Data with these names would hide the methods of the sessions of @fastify/session. */
const hidden = [
  ...["sessionId", "encryptedSessionId", "options", "touch", "regenerate", "get", "set", "destroy"],
  ...["reload", "save", "isModified", "isSaved"],
];

/** The store that @fastify/session calls. */
export class FastifyStore implements SessionStore {
  readonly #parts: StoreParts;
  readonly #sessions: LoadedSessions;
  readonly #requestIds: RequestIds;
  /** The object that @fastify/session copies into a session object at this moment. */
  #loaded: SessionObject | undefined;
  /** The ids of new session objects that are saved before `adopt` is called for them. */
  readonly #regenerated = new Set<string>();

  constructor(parts: StoreParts, requestIds: RequestIds) {
    this.#parts = parts;
    this.#requestIds = requestIds;
    this.#sessions = new LoadedSessions(parts, hidden);
  }

  get(sessionId: string, done: (error: unknown, session?: Session | null) => void): void {
    settle(this.#sessions.load(sessionId), (error, session) => {
      if (session?.["cookie"] !== undefined) session["cookie"] = cookieFrom(session["cookie"]);
      this.#loaded = session;
      try {
        done(error, (session as unknown as Session | undefined) ?? null);
      } finally {
        // Also if the application throws. Otherwise the next new session would count as one that has these data already.
        this.#loaded = undefined;
      }
    });
  }

  set(sessionId: string, given: Session, done: Done): void {
    const session = given as unknown as SessionObject;
    if (this.#regenerated.delete(sessionId)) this.#sessions.track(session, sessionId);
    settle(this.#sessions.save(sessionId, session), (error) => done(error));
  }

  destroy(sessionId: string, done: Done): void {
    settle(this.#parts.calls.end(sessionId), (error) => done(error));
  }

  /**
   * Registers the session object of a request. Must be called at once when @fastify/session has created the object, while
   * it is known from which data.
   */
  adopt(request: FastifyRequest): void {
    const session = request.session as FastifySessionObject | null;
    if (!session?.sessionId) return;
    this.#sessions.track(session as unknown as SessionObject, session.sessionId, this.#loaded);
    this.#parts.checkLifetime(session.cookie.originalMaxAge);
    this.#wrap(request, session, "reload", async () => undefined);
    this.#wrap(request, session, "regenerate", async () => {
      const isSaved = this.#sessions.stateOf(session)?.isSaved !== false;
      // If this fails, @fastify/session reports that the old session cannot be ended.
      const nextId = await replaceSession(this.#parts, session.sessionId, isSaved).catch(() => undefined);
      if (nextId === undefined) return;
      this.#requestIds.choose(request, nextId);
      this.#regenerated.add(nextId);
    });
  }

  /**
   * Replaces a method that replaces the session object of a request. `prepare` is called before it; the new object is
   * adopted after it.
   */
  #wrap(request: FastifyRequest, session: object, name: "reload" | "regenerate", prepare: () => Promise<void>): void {
    const method = Reflect.get(session, name) as Method;
    const call = async (given: readonly unknown[]) => {
      await prepare();
      await new Promise<void>((resolve, reject) => {
        method.call(session, ...given, (error?: Error | null) => {
          this.adopt(request);
          if (error) reject(error);
          else resolve();
        });
      });
    };
    const value = (...given: unknown[]) => {
      const done = given.at(-1);
      if (typeof done !== "function") return call(given.slice(0, 1));
      settle(call(given.slice(0, -1)), (error) => (done as Done)(error));
      return undefined;
    };
    // Not enumerable, because the enumerable members are the data.
    Object.defineProperty(session, name, { value, configurable: true, writable: true });
  }
}
