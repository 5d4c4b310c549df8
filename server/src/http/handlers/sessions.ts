import type { SessionInfo } from "@antechamber/client/protocol";
import {
  type BodyWriter,
  type CachedParts,
  CachedResponse,
  type HeaderFields,
  type HttpRequest,
} from "@antechamber/http1";
import type { OpenedWithData, SessionData } from "../../services/session-data.ts";
import type { OpenedSession, Retrieval, SessionService, Update } from "../../services/sessions.ts";
import { Refusal } from "../../session/errors.ts";
import {
  changeScope,
  forbiddenAssertion,
  mayRotate,
  type Principal,
  type Role,
  readScope,
} from "../../session/permissions.ts";
import type { Identity, Session } from "../../session/session.ts";
import { hasTraits } from "../../session/traits.ts";
import type { SessionWithData } from "../../store/ports/data.ts";
import {
  maxLengthOf,
  maxLengthWithData,
  sessionInfo,
  writeSessionInfo,
  writeSessionInfoWithData,
} from "../../wire/session-info.ts";
import { type ApiResponse, apiFields } from "../api-response.ts";
import type { Call, ResponseOrPromise } from "../call.ts";
import { requestKeyOf } from "../parse/idempotency.ts";
import {
  contentOfRequest,
  type GivenContent,
  identityOfHeaders,
  type UpdateContent,
  updateOfRequest,
} from "../parse/identity.ts";
import { includesData } from "../parse/include.ts";
import type { RateLimits } from "../rate-limits.ts";
import type { AuditDataRead } from "./data-reads.ts";

/** The handlers of the Session Management API. */
export type SessionHandlers = Readonly<
  Record<"create" | "retrieve" | "head" | "associate", (call: Call) => ResponseOrPromise>
>;

/** Maximum characters of data whose responses are cached. Longer data are rare, and mostly take time to send. */
const MAX_CACHED_DATA = 4096;

/** The form of a session in the responses of a dialect. */
export interface SessionForm {
  /** Returns the header fields of a response that shows the session with this id. */
  fields(sessionId: string): HeaderFields;
  body(opened: OpenedSession): BodyWriter;
  /** Returns the body for a session with its data. */
  bodyWithData(opened: OpenedWithData): BodyWriter | string;
  /** Returns the body for a session from the text of its `SessionInfo`. */
  ofInfo(info: string): string;
}

/** The form of dialect 8.5.0: `SessionInfo` without additions. */
const bare: SessionForm = {
  fields: () => apiFields,
  body: (opened) => new SessionText(opened),
  bodyWithData: (opened) => new SessionAndDataText(opened),
  ofInfo: (info) => info,
};

/** The dependencies of the handlers below one base path. */
export interface SessionHandlerParts {
  readonly service: SessionService;
  readonly sessionData: SessionData;
  readonly auditRead: AuditDataRead;
  /** `undefined` if there are no rate limits. */
  readonly limits: RateLimits | undefined;
  /** The base path; "" at the root. */
  readonly base: string;
  /** The roles that may read session data. */
  readonly dataReaders: readonly Role[];
  readonly form?: SessionForm;
}

/**
 * Creates the handlers. They read the request, check the ids that the caller asserts, and write the response. The
 * response stored for an idempotency key is a plain `SessionInfo` in every dialect. So a client may repeat the request
 * at the base path of another dialect, and gets the response in the form of that dialect.
 */
export function createSessionHandlers(parts: SessionHandlerParts): SessionHandlers {
  const { service, sessionData, auditRead, limits, base, dataReaders, form = bare } = parts;
  /**
   * The cached response of each session. It never becomes stale: each change creates another `Session` object, and
   * handle and generation determine the id.
   */
  const cached = new WeakMap<Session, CachedResponse>();
  /** The cached response of each session with its data. It is dropped when the store drops the data from its memory. */
  const cachedWithData = new WeakMap<SessionWithData, CachedResponse>();

  const show = (opened: OpenedSession) => showSession(opened, form);

  function showRetrieved(retrieval: Retrieval): ApiResponse {
    // A session that was not cached is unlikely to be retrieved again soon, so its response is not cached.
    return retrieval.origin === "cache" ? showCached(retrieval) : showLocated(retrieval);
  }

  function showCached(opened: OpenedSession): CachedResponse {
    let response = cached.get(opened.session);
    if (response === undefined) {
      response = new CachedResponse(() => showLocated(opened));
      cached.set(opened.session, response);
    }
    return response;
  }

  function showCachedWithData(opened: OpenedWithData): CachedResponse | undefined {
    const key = opened.cached;
    if (key === undefined || form !== bare || key.data.length > MAX_CACHED_DATA) return undefined;
    let response = cachedWithData.get(key);
    if (response === undefined) {
      response = new CachedResponse(() => ({ ...showLocated(opened), body: new SessionAndDataText(opened) }));
      cachedWithData.set(key, response);
    }
    return response;
  }

  function showWithData(call: Call, opened: OpenedWithData): ResponseOrPromise {
    const response = showCachedWithData(opened) ?? showLocatedWithData(opened, { base, form });
    // A new session has no data that could be read.
    const audited = opened.id === call.sessionId ? auditRead(call) : undefined;
    return audited === undefined ? response : audited.then(() => response);
  }

  const showLocated = (opened: OpenedSession) => showLocatedSession(opened, base, form);

  function create(principal: Principal, { ids, traits }: GivenContent) {
    return service.create(permitted(principal, ids), traits);
  }

  async function createOnce(
    request: HttpRequest,
    principal: Principal,
    content: GivenContent | Promise<GivenContent>,
  ): Promise<ApiResponse> {
    const given = await content;
    const { traits } = given;
    const ids = permitted(principal, given.ids);
    const key = requestKeyOf(request, principal, "create", fingerprintOf(given));
    if (key === undefined) return show(await service.create(ids, traits));
    return showStored(await service.createOnce(ids, { ...key, response: sessionInfo }, traits), form);
  }

  return {
    create({ request, principal }) {
      const given = contentOfRequest(request, service.profiles);
      if (request.header("idempotency-key") !== null) return createOnce(request, principal, given);
      const opened =
        given instanceof Promise ? given.then((read) => create(principal, read)) : create(principal, given);
      return opened instanceof Promise ? opened.then(show) : show(opened);
    },

    retrieve(call) {
      const { request, principal, sessionId } = call;
      const ids = permitted(principal, identityOfHeaders(request));
      const scope = readScope(principal, ids.customerId);
      const mayCreate = limits && (() => limits.miss(request, principal));
      if (includesData(call, dataReaders)) {
        const retrieval = sessionData.retrieve(sessionId, ids, scope, mayCreate);
        return retrieval instanceof Promise
          ? retrieval.then((opened) => showWithData(call, opened))
          : showWithData(call, retrieval);
      }
      const retrieval = service.retrieve(sessionId, ids, scope, mayCreate);
      return retrieval instanceof Promise ? retrieval.then(showRetrieved) : showRetrieved(retrieval);
    },

    async head(call) {
      const { request, principal, sessionId } = call;
      const ids = permitted(principal, identityOfHeaders(request));
      const scope = readScope(principal, ids.customerId);
      if (includesData(call, dataReaders)) {
        const used = await sessionData.use(sessionId, scope);
        if (used === undefined) throw new Refusal({ code: "session-not-found" });
        return showWithData(call, used);
      }
      const session = await service.use(sessionId, scope);
      if (session === undefined) throw new Refusal({ code: "session-not-found" });
      return showLocated({ id: sessionId, session });
    },

    async associate(call) {
      const { request, principal, sessionId } = call;
      // The caller has sent POST /sessions/new, and probably means PUT /sessions/new.
      if (sessionId === "new") throw new Refusal({ code: "session-not-found", isNew: true });
      const update = permittedUpdate(call, await updateOfRequest(request, service.profiles));
      const opened = await service.update(sessionId, update, changeScope(principal));
      return showUpdated(sessionId, opened, { base, form });
    },
  };
}

/** Responds to a request that has created or changed the session. */
export function showSession(opened: OpenedSession, form: SessionForm): ApiResponse {
  return { status: 200, headers: form.fields(opened.id), body: form.body(opened) };
}

/** Responds with the session; `Content-Location` names it (contract.md#rule-3 and contract.md#rule-9). */
function showLocatedSession(opened: OpenedSession, base: string, form: SessionForm): ApiResponse & CachedParts {
  const contentLocation = `${base}/sessions/${opened.id}`;
  return { status: 200, headers: form.fields(opened.id), contentLocation, body: form.body(opened) };
}

/** Responds with the session and its data; `Content-Location` names the session. */
function showLocatedWithData(
  opened: OpenedWithData,
  { base, form }: Required<Pick<SessionHandlerParts, "base" | "form">>,
): ApiResponse {
  const contentLocation = `${base}/sessions/${opened.id}`;
  return { status: 200, headers: form.fields(opened.id), contentLocation, body: form.bodyWithData(opened) };
}

/** Responds to an update of the session that had this id, and may have its next one now (contract.md#rule-9). */
export function showUpdated(
  id: string,
  opened: OpenedSession,
  { base, form }: Required<Pick<SessionHandlerParts, "base" | "form">>,
): ApiResponse {
  return opened.id === id ? showSession(opened, form) : showLocatedSession(opened, base, form);
}

/** Responds to a request with an idempotency key. `info` is the stored response, the text of a `SessionInfo`. */
export function showStored(info: string, form: SessionForm): ApiResponse {
  const { sessionId } = JSON.parse(info) as SessionInfo;
  return { status: 200, headers: form.fields(sessionId), body: form.ofInfo(info) };
}

/** Returns the parts of a request's content by which its repetition is recognized (`requestKeyOf`). */
export function fingerprintOf({ ids, traits }: GivenContent): string[] {
  return [JSON.stringify(ids), ...(hasTraits(traits) ? [JSON.stringify(traits)] : [])];
}

/** A body that writes a session into the buffer of the response. */
class SessionText implements BodyWriter {
  readonly #opened: OpenedSession;

  constructor(opened: OpenedSession) {
    this.#opened = opened;
  }

  get maxLength(): number {
    return maxLengthOf(this.#opened);
  }

  write(bytes: Buffer, start: number): number {
    return writeSessionInfo(this.#opened, bytes, start);
  }
}

/** A body that writes a session and its data into the buffer of the response. */
class SessionAndDataText implements BodyWriter {
  readonly #opened: OpenedWithData;

  constructor(opened: OpenedWithData) {
    this.#opened = opened;
  }

  get maxLength(): number {
    return maxLengthWithData(this.#opened, this.#opened.data);
  }

  write(bytes: Buffer, start: number): number {
    return writeSessionInfoWithData(this.#opened, this.#opened.data, bytes, start);
  }
}

/** Returns `ids` if the principal may assert them, else refuses with `identity-mismatch`. */
export function permitted(principal: Principal, ids: Identity): Identity {
  const field = forbiddenAssertion(principal, ids);
  if (field !== undefined) throw new Refusal({ code: "identity-mismatch", field });
  return ids;
}

/**
 * Returns the update in a request with this content. Refuses with `identity-mismatch`, and with `role-not-permitted` if
 * the caller may not rotate.
 */
export function permittedUpdate({ request, principal, sessionId }: Call, content: UpdateContent): Update {
  const { ids, traits, rotate } = content;
  permitted(principal, ids);
  if (rotate && !mayRotate(principal)) throw new Refusal({ code: "role-not-permitted" });
  const key = () => {
    const parts = [sessionId, ...fingerprintOf(content), String(rotate)];
    return requestKeyOf(request, principal, "rotate", parts);
  };
  return { ids, traits, rotate, key };
}
