import { Attached } from "../attached.ts";
import { ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import { isSessionId } from "../session-id.ts";
import { attributesOf } from "./cookie-attributes.ts";
import { changesBetween, type JsonObject } from "./data-changes.ts";
import type { SessionCalls, StoredSession } from "./session-calls.ts";
import type { StoreParts } from "./store-options.ts";

/** The state of a framework's session object when it was created, loaded or saved last. */
interface State {
  /** The session's id. The object is saved under another id if the framework has given the session a new one. */
  readonly id: string;
  /** The session as it was loaded; `undefined` if the object was created for a new session. */
  readonly info: SessionInfo | undefined;
  /** The attributes of the object's cookie, as JSON text. */
  readonly cookie: string;
  /** The attributes of the cookie in the data; `undefined` if there are none. */
  readonly storedCookie: unknown;
  /** Returns the data that Antechamber has, except those that cannot be members of the object. */
  before: () => JsonObject;
  isSaved: boolean;
}

/** A framework's session object: the data and the cookie. */
export type SessionObject = Record<string, unknown>;

/** The session objects of a framework. Saving one sends what has changed since it was loaded, and nothing else. */
export class LoadedSessions {
  readonly #calls: SessionCalls;
  readonly #warnUnsaved: StoreParts["warnUnsaved"];
  readonly #hidden: ReadonlySet<string>;
  readonly #states = new Attached<State>();

  /** `hidden`: names of data that cannot be members of a session object. Such data stay as they are. */
  constructor({ calls, warnUnsaved }: Pick<StoreParts, "calls" | "warnUnsaved">, hidden: readonly string[]) {
    this.#calls = calls;
    this.#warnUnsaved = warnUnsaved;
    this.#hidden = new Set([...hidden, ...Object.getOwnPropertyNames(Object.prototype)]);
  }

  /** Returns the session with this id as an object with its data and its stored cookie; `undefined` if there is none. */
  async load(sessionId: string): Promise<SessionObject | undefined> {
    if (!isSessionId(sessionId)) return undefined;
    const stored = await this.#calls.retrieve(sessionId);
    if (stored === undefined) return undefined;
    const object = this.#withoutHidden(stored.data);
    this.#states.set(object, {
      id: sessionId,
      info: stored.info,
      cookie: JSON.stringify(attributesOf(object["cookie"])),
      storedCookie: object["cookie"],
      before: this.#dataAgain(stored),
      isSaved: true,
    });
    return object;
  }

  /** Notes that an object was created with the members of one that was loaded; without `from`, for a new session. */
  track(object: SessionObject, sessionId: string, from?: object): void {
    const { info, storedCookie, before = () => ({}), isSaved = false } = (from && this.#states.get(from)) ?? {};
    const cookie = JSON.stringify(attributesOf(object["cookie"]));
    this.#states.set(object, { id: sessionId, info, cookie, storedCookie, before, isSaved });
  }

  /** Returns the state of an object; `undefined` if it was not created by a store of this package. */
  stateOf(object: object): Pick<State, "info" | "isSaved" | "storedCookie"> | undefined {
    return this.#states.get(object);
  }

  /**
   * Stores the data that have changed since the object was loaded or saved. If the session has ended since
   * then, or has got another id, nothing is stored and `warnUnsaved` is called. Rejects with a `ProblemError` if Antechamber refuses the data or is unavailable.
   */
  async save(sessionId: string, object: SessionObject): Promise<void> {
    if (!isSessionId(sessionId)) throw withoutId();
    const state = this.#states.get(object);
    if (state?.id !== sessionId) {
      const cookie = attributesOf(object["cookie"]);
      const data = { ...dataOf(object), ...(Object.keys(cookie).length > 0 ? { cookie } : {}) };
      if (!(await this.#calls.replace(sessionId, data))) this.#warnUnsaved(sessionId);
      return;
    }
    const before = state.before();
    const after = { ...dataOf(object), ...cookieOf(object, state, before) };
    const changes = changesBetween(before, after);
    const isLive = changes.size === 0 || (await this.#calls.change(sessionId, changes));
    if (!isLive && !state.isSaved) throw notFound();
    if (!isLive) this.#warnUnsaved(sessionId);
    state.before = () => after;
    state.isSaved = true;
  }

  #withoutHidden(data: JsonObject): SessionObject {
    return Object.fromEntries(Object.entries(data).filter(([name]) => !this.#hidden.has(name)));
  }

  /** Returns a function that parses the data of the response again, without the changes that a handler has made. */
  #dataAgain({ text }: StoredSession): () => JsonObject {
    return () => {
      const { data } = JSON.parse(text) as { readonly data: JsonObject };
      return this.#withoutHidden(data) as JsonObject;
    };
  }
}

/**
 * Replaces a session by one without data and with a new id; the old id opens nothing any more. Returns the new id;
 * `undefined` if Antechamber is unavailable. An anonymous session continues, so that its timeline begins before the
 * sign-in. A session with a customer or agent ends, because the next person at the browser is another one.
 */
export async function replaceSession(
  { calls, ids }: StoreParts,
  sessionId: string,
  isSaved: boolean,
): Promise<string | undefined> {
  const rotated = isSaved && isSessionId(sessionId) ? await calls.rotate(sessionId) : undefined;
  return rotated ?? (ids.take() ?? (await ids.wait()))?.id;
}

/** Returns the data of a session object as JSON stores them. */
function dataOf(session: SessionObject): JsonObject {
  const members = { ...session };
  delete members["cookie"];
  return JSON.parse(JSON.stringify(members)) as JsonObject;
}

/** Returns the cookie as a member of the data: the present attributes if they were changed, otherwise the stored ones. */
function cookieOf(object: SessionObject, state: State, before: JsonObject): JsonObject {
  const attributes = attributesOf(object["cookie"]);
  if (JSON.stringify(attributes) !== state.cookie) return { cookie: attributes };
  return before["cookie"] === undefined ? {} : { cookie: before["cookie"] };
}

/** Returns the error for a new session whose id opens nothing: Antechamber has lost its data, or its clock was set. */
function notFound(): ProblemError {
  return new ProblemError({ code: "session-not-found", status: 404, detail: "No live session has this new id." });
}

/** Returns the error for a session that was begun while Antechamber was unavailable, and so has no id. */
function withoutId(): ProblemError {
  return new ProblemError({
    code: "unavailable",
    detail: "the session has no id from Antechamber, which was unavailable when the session began",
  });
}
