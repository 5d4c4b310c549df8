import { EventEmitter } from "node:events";
import type { Request, Response } from "express";
import type { Cookie, Session, SessionData } from "express-session";
import { Attached } from "../attached.ts";
import { attributesOf, cookieFrom } from "./cookie-attributes.ts";
import { isObject, type JsonObject } from "./data-changes.ts";
import { HeldResponse } from "./held-response.ts";
import { LoadedSessions, replaceSession, type SessionObject } from "./loaded-sessions.ts";
import type { RequestIds } from "./request-ids.ts";
import { settle } from "./settle.ts";
import type { StoreParts } from "./store-options.ts";

type Done = (error?: unknown) => void;
type Loaded = (error: unknown, session?: SessionData | null) => void;
type Generate = (request: Request) => void;

/** Data with these names would hide the methods of express-session's sessions. */
const hidden = ["req", "id", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate"];

/** The store that express-session calls. */
export class AntechamberStore extends EventEmitter {
  readonly #parts: StoreParts;
  readonly #sessions: LoadedSessions;
  readonly #requestIds: RequestIds;
  readonly #responses = new Attached<HeldResponse>();
  #generate: Generate = () => undefined;

  constructor(parts: StoreParts, requestIds: RequestIds) {
    super();
    this.#parts = parts;
    this.#requestIds = requestIds;
    this.#sessions = new LoadedSessions(parts, hidden);
  }

  /** Creates the session object of a new session. express-session sets this property to a function of its own. */
  get generate(): Generate {
    return (request) => {
      this.#generate(request);
      this.#sessions.track(request.session as unknown as SessionObject, request.sessionID);
      this.#parts.checkLifetime(request.session.cookie.originalMaxAge);
    };
  }

  set generate(generate: Generate) {
    this.#generate = generate;
  }

  /** Remembers the response to a request, to hold it back while the session is saved. */
  addResponse(request: Request, response: Response): void {
    this.#responses.set(request, new HeldResponse(response));
  }

  get(sessionId: string, done: Loaded): void {
    settle(this.#load(sessionId), done);
  }

  /** express-session calls this for a session that it has got from `get`. */
  createSession(request: Request, loaded: SessionData): Session & SessionData {
    this.#requestIds.choose(request, request.sessionID);
    // This makes the cookie with the options of the application.
    this.#generate(request);
    const { session } = request;
    for (const [name, value] of Object.entries(loaded)) {
      if (!(name in session)) Object.assign(session, { [name]: value as unknown });
    }
    const state = this.#sessions.stateOf(loaded);
    const cookie: unknown = state === undefined ? loaded.cookie : state.storedCookie;
    if (isObject(cookie)) restoreCookie(session.cookie, cookie);
    this.#sessions.track(session as unknown as SessionObject, request.sessionID, loaded);
    return session;
  }

  /** Loads a session without a request, as programs with WebSockets do. */
  load(sessionId: string, done: (error: unknown, session?: SessionData) => void): void {
    this.get(sessionId, (error, session) => {
      if (error || !session) return done(error);
      const request = { sessionID: sessionId, sessionStore: this, headers: {} };
      done(null, this.createSession(request as unknown as Request, session));
    });
  }

  set(sessionId: string, session: SessionData, done: Done = () => undefined): void {
    const response = this.#responses.get((session as { readonly req?: Request }).req ?? {});
    response?.hold();
    settle(this.#sessions.save(sessionId, session as unknown as SessionObject), (error) => {
      response?.release();
      done(error);
    });
  }

  /** Renews the session. Nothing is sent for a session of this request: loading it has renewed it already. */
  touch(sessionId: string, session: SessionData, done: Done = () => undefined): void {
    if (this.#sessions.stateOf(session) !== undefined) done();
    else settle(this.#sessions.load(sessionId), (error) => done(error));
  }

  destroy(sessionId: string, done: Done = () => undefined): void {
    settle(this.#parts.calls.end(sessionId), done);
  }

  /** Replaces the session of a request (`replaceSession`), and creates its new session object. */
  regenerate(request: Request, done: Done): void {
    const isSaved = this.#sessions.stateOf(request.session ?? {})?.isSaved !== false;
    settle(replaceSession(this.#parts, request.sessionID, isSaved), (error, nextId) => {
      if (nextId !== undefined) this.#requestIds.choose(request, nextId);
      this.generate(request);
      done(error);
    });
  }

  async #load(sessionId: string): Promise<SessionData | null> {
    const session = await this.#sessions.load(sessionId);
    if (session === undefined) return null;
    session["cookie"] = cookieFrom(session["cookie"]);
    this.#sessions.track(session, sessionId, session);
    return session as unknown as SessionData;
  }
}

function restoreCookie(cookie: Cookie, attributes: JsonObject): void {
  const { originalMaxAge, ...others } = attributesOf(attributes);
  Object.assign(cookie, others, { maxAge: originalMaxAge ?? null });
}
