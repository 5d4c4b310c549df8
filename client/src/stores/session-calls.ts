import { ProblemError } from "../problem-error.ts";
import type { SessionInfo } from "../protocol.ts";
import { isSessionId } from "../session-id.ts";
import { isSession, randomKey } from "../session-operations.ts";
import { applyChanges, type Changes, isObject, type JsonObject, mergePatchOf } from "./data-changes.ts";
import type { SendStoreRequest } from "./http-calls.ts";

/** A live session and its data. */
export interface StoredSession {
  readonly info: SessionInfo;
  readonly data: JsonObject;
  /** The response as text, from which the data can be read again after a handler has changed `data`. */
  readonly text: string;
}

/** The operations of the service that a session store needs. All calls reject with a `ProblemError` for a failure. */
export interface SessionCalls {
  /** Returns the live session with this id, and renews it; `undefined` if there is none. */
  retrieve(sessionId: string): Promise<StoredSession | undefined>;
  /** Creates a session. Nothing is stored until it is used (contract.md#rule-8). */
  create(): Promise<SessionInfo>;
  /** Changes some members of a session's data. Resolves with `false` if no live session has this id. */
  change(sessionId: string, changes: Changes): Promise<boolean>;
  /** Replaces a session's data. Resolves with `false` if no live session has this id. */
  replace(sessionId: string, data: JsonObject): Promise<boolean>;
  /** Ends a session; without effect if no live session has this id. */
  end(sessionId: string): Promise<void>;
  /**
   * Gives an anonymous session a new id and empties its data; ends the session of a customer or agent. Resolves with the new
   * id; `undefined` if no session has it.
   */
  rotate(sessionId: string): Promise<string | undefined>;
}

/** Maximum number of attempts of a change that fails if other requests change the data at the same time. */
const MAX_ATTEMPTS = 20;

export function createSessionCalls(send: SendStoreRequest): SessionCalls {
  async function sendFor(request: Parameters<SendStoreRequest>[0]): Promise<string | undefined> {
    try {
      return (await send(request)).text;
    } catch (error) {
      if (hasCode(error, "session-not-found")) return undefined;
      throw error;
    }
  }

  /** Reads the data, applies the changes, and stores the result unless the data have changed again. */
  async function changeByReplacing(path: string, changes: Changes): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { text, etag = "*" } = await send({ method: "GET", path });
        const data = parse(text);
        if (!isObject(data)) throw new ProblemError({ code: "unexpected-answer" });
        const body = JSON.stringify(applyChanges(data, changes));
        await send({ method: "PUT", path, body, headers: { "if-match": etag } });
        return true;
      } catch (error) {
        if (hasCode(error, "session-not-found")) return false;
        if (!hasCode(error, "precondition-failed") || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  return {
    async retrieve(sessionId) {
      const { text } = await send({ method: "GET", path: `${pathOf(sessionId)}?include=data` });
      const { data, ...info } = sessionIn(text);
      // For an unknown id, Antechamber returns a new session (contract.md#rule-3).
      if (info.sessionId !== sessionId) return undefined;
      if (!isObject(data)) throw new ProblemError({ code: "unexpected-answer" });
      return { info, data, text };
    },
    async create() {
      const { text } = await send({ method: "PUT", path: "/sessions/new" });
      return sessionIn(text);
    },
    async change(sessionId, changes) {
      const path = `${pathOf(sessionId)}/data`;
      const patch = mergePatchOf(changes);
      if (patch === undefined) return await changeByReplacing(path, changes);
      const body = JSON.stringify(patch);
      return (await sendFor({ method: "PATCH", path, body, type: "application/merge-patch+json" })) !== undefined;
    },
    async replace(sessionId, data) {
      const body = JSON.stringify(data);
      return (await sendFor({ method: "PUT", path: `${pathOf(sessionId)}/data`, body })) !== undefined;
    },
    async end(sessionId) {
      if (isSessionId(sessionId)) await sendFor({ method: "DELETE", path: pathOf(sessionId) });
    },
    async rotate(sessionId) {
      const headers = { "idempotency-key": `"${randomKey()}"` };
      let text: string | undefined;
      try {
        text = await sendFor({ method: "POST", path: pathOf(sessionId), body: '{"rotate":true}', headers });
      } catch (error) {
        if (!hasCode(error, "rotation-limit")) throw error;
        await sendFor({ method: "DELETE", path: pathOf(sessionId) });
      }
      if (text === undefined) return undefined;
      const { sessionId: nextId, state } = sessionIn(text);
      if (state === "recognized") {
        await sendFor({ method: "DELETE", path: pathOf(nextId) });
        return undefined;
      }
      // Nobody knows the new id yet, so nothing is lost if this fails.
      const emptied = await sendFor({ method: "DELETE", path: `${pathOf(nextId)}/data` });
      return emptied === undefined ? undefined : nextId;
    },
  };
}

function pathOf(sessionId: string): string {
  // Any other text could form another path.
  if (!isSessionId(sessionId))
    throw new TypeError("the session id is invalid: it is 40 characters that Antechamber has made");
  return `/sessions/${sessionId}`;
}

/** Returns the session in a response. Throws `unexpected-answer` for a response that is not from Antechamber. */
function sessionIn(text: string): SessionInfo & { readonly data?: unknown } {
  const content = parse(text);
  if (!isSession(content)) throw new ProblemError({ code: "unexpected-answer" });
  return content;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProblemError({ code: "unexpected-answer", cause });
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof ProblemError && error.code === code;
}
