import type { SessionInfo } from "@antechamber/client/protocol";
import {
  type BodyWriter,
  type CachedParts,
  CachedResponse,
  type HeaderFields,
  type HttpRequest,
} from "@antechamber/http1";
import type { Retrieval, SessionService } from "../../services/sessions.ts";
import { Refusal } from "../../session/errors.ts";
import {
  changeScope,
  forbiddenAssertion,
  type Principal,
  readScope,
} from "../../session/permissions.ts";
import type { Identity, Session } from "../../session/session.ts";
import { maxLengthOf, sessionInfo, writeSessionInfo } from "../../wire/session-info.ts";
import { type ApiResponse, apiFields } from "../app/api-response.ts";
import type { RateLimits } from "../app/rate-limits.ts";
import { requestKeyOf } from "../parse/idempotency.ts";
import { identityOfHeaders, identityOfRequest } from "../parse/identity.ts";

/** A request on its way through a route. */
export interface Call {
  readonly request: HttpRequest;
  readonly principal: Principal;
  /** The `sessionId` of the path, decoded; "" where the path has none. */
  readonly sessionId: string;
  /** The `customerId` of the path, as `sessionId`. */
  readonly customerId: string;
  /** The base path that the request came in under; "" at the root. */
  readonly base: string;
}

export type Answer = ApiResponse | Promise<ApiResponse>;

/** The handlers of the Session Management API. */
export interface SessionHandlers {
  create(call: Call): Answer;
  retrieve(call: Call): Answer;
  head(call: Call): Answer;
  associate(call: Call): Answer;
}

/** How a dialect writes a session into a response. */
export interface SessionForm {
  /** Returns the header fields of a response that shows the session with this id. */
  fields(sessionId: string): HeaderFields;
  body(session: Session): BodyWriter;
  /** Returns the body for a session from the stored text of its `SessionInfo`. */
  ofInfo(info: string): string;
}

/** `SessionInfo` as it is: dialect 8.5.0. */
const bare: SessionForm = {
  fields: () => apiFields,
  body: (session) => new SessionText(session),
  ofInfo: (info) => info,
};

/**
 * Creates the handlers: they read the request, check what the caller may assert, and write the response. A stored
 * response is a `SessionInfo` in every dialect, so that a request can be repeated at another base path.
 */
export function createSessionHandlers(
  service: SessionService,
  limits?: RateLimits,
  form: SessionForm = bare,
): SessionHandlers {
  /** Answers are kept with their sessions, for each base path: a session never changes, a change makes a new one. */
  const known = new Map<string, WeakMap<Session, CachedResponse>>();

  function showLocated({ session, origin }: Retrieval, base: string): ApiResponse {
    // What is asked for once is not worth the room.
    if (origin !== "cache") return located(session, base);
    const ofBase = known.get(base) ?? new WeakMap<Session, CachedResponse>();
    let answer = ofBase.get(session);
    if (answer === undefined) {
      answer = new CachedResponse(() => located(session, base));
      known.set(base, ofBase.set(session, answer));
    }
    return answer;
  }

  async function createOnce(
    request: HttpRequest,
    principal: Principal,
    given: Identity | Promise<Identity>,
  ): Promise<ApiResponse> {
    const ids = permitted(principal, await given);
    const key = requestKeyOf(request, principal, "create", [JSON.stringify(ids)]);
    if (key === undefined) return show(await service.create(ids));
    return showStored(await service.createOnce(ids, { ...key, response: sessionInfo }), form);
  }

  const show = (session: Session) => showSession(session, form);

  /** Responds to a retrieval: `Content-Location` names the session in the body (contract.md#rule-3). */
  function located(session: Session, base: string): ApiResponse & CachedParts {
    const contentLocation = `${base}/sessions/${session.id}`;
    const headers = form.fields(session.id);
    return { status: 200, headers, contentLocation, body: form.body(session) };
  }

  return {
    create({ request, principal }) {
      const ids = identityOfRequest(request);
      if (request.header("idempotency-key") !== null) return createOnce(request, principal, ids);
      const session =
        ids instanceof Promise
          ? ids.then((read) => service.create(permitted(principal, read)))
          : service.create(permitted(principal, ids));
      return session instanceof Promise ? session.then(show) : show(session);
    },

    retrieve({ request, principal, sessionId, base }) {
      const ids = permitted(principal, identityOfHeaders(request));
      const scope = readScope(principal, ids.customerId);
      const mayCreate = limits && (() => limits.miss(request, principal));
      const retrieval = service.retrieve(sessionId, ids, scope, mayCreate);
      return retrieval instanceof Promise
        ? retrieval.then((retrieved) => showLocated(retrieved, base))
        : showLocated(retrieval, base);
    },

    async head({ request, principal, sessionId, base }) {
      const ids = permitted(principal, identityOfHeaders(request));
      const session = await service.use(sessionId, readScope(principal, ids.customerId));
      if (session === undefined) throw new Refusal({ code: "session-not-found" });
      return located(session, base);
    },

    async associate({ request, principal, sessionId }) {
      // A create with the wrong method.
      if (sessionId === "new") throw new Refusal({ code: "session-not-found", isNew: true });
      const ids = permitted(principal, await identityOfRequest(request));
      return show(await service.associate(sessionId, ids, changeScope(principal)));
    },
  };
}

/** The answer to a change. */
export function showSession(session: Session, form: SessionForm): ApiResponse {
  return { status: 200, headers: form.fields(session.id), body: form.body(session) };
}

/** Responds to a repeated change with the stored text of a `SessionInfo`. */
export function showStored(info: string, form: SessionForm): ApiResponse {
  const { sessionId } = JSON.parse(info) as SessionInfo;
  return { status: 200, headers: form.fields(sessionId), body: form.ofInfo(info) };
}

/** A session in the body of an answer. */
class SessionText implements BodyWriter {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  get maxLength(): number {
    return maxLengthOf(this.#session);
  }

  write(bytes: Buffer, start: number): number {
    return writeSessionInfo(this.#session, bytes, start);
  }
}

/** `ids` if the principal may assert them, else refuses with `identity-mismatch`. */
export function permitted(principal: Principal, ids: Identity): Identity {
  const field = forbiddenAssertion(principal, ids);
  if (field !== undefined) throw new Refusal({ code: "identity-mismatch", field });
  return ids;
}
