import { problemStatus } from "@antechamber/client/protocol";
import { CachedResponse, type HeaderFields, type HttpRequest } from "@antechamber/http1";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Assertion, Assertions } from "../../services/assertions.ts";
import type { RequestRecorder } from "../../services/recording.ts";
import { RetiredSession } from "../../services/rotation.ts";
import type { OpenedSession, SessionService } from "../../services/sessions.ts";
import { type Reason, Refusal } from "../../session/errors.ts";
import { idFields } from "../../session/fields.ts";
import { changeScope, type Principal, type Scope } from "../../session/permissions.ts";
import { forwardedRecord } from "../../session/record.ts";
import { type Identity, noIdentity, type Session } from "../../session/session.ts";
import { isPrintableAscii } from "../../session/text.ts";
import type { ApiResponse } from "../api-response.ts";
import type { Call, ResponseOrPromise } from "../call.ts";
import { textOfBytes } from "../parse/header-text.ts";
import { createSessionIdFinder, type FindSessionIds, type SessionIds } from "../parse/session-ids.ts";
import type { RateLimits } from "../rate-limits.ts";
import { type CookieSettings, createSessionCookies } from "./session-cookie.ts";

/** The path of the sub-requests of proxies. Envoy appends the path of the original request. */
export const FORWARD_AUTH_PATH = "/forward-auth";

/**
 * Returns whether a request is a proxy's sub-request. `target` is the request's target, or the beginning of it, and may
 * have a scheme and a host. Sub-requests are recognized even if they are malformed, because a response to one may have
 * only a few statuses (`forwardAuthStatus`).
 */
export function isForwardAuthTarget(target: string): boolean {
  const path = target.replace(/^https?:\/\/[^/?]*/i, "");
  const after = path[FORWARD_AUTH_PATH.length];
  return path.startsWith(FORWARD_AUTH_PATH) && (after === undefined || "/?".includes(after));
}

/** The settings of `/forward-auth`. */
export type ForwardAuthConfig = Pick<Config, "forwardAuth" | "forwardAuthSources"> & CookieSettings;

export interface ForwardAuthParts {
  readonly service: Pick<SessionService, "useIfIssued" | "create">;
  readonly recorder: Pick<RequestRecorder, "recordFirst" | "recordBestEffort">;
  readonly clock: Clock;
  readonly config: ForwardAuthConfig;
  /** The names of the query parameters that may be recorded. */
  readonly queryKeys: ReadonlySet<string>;
  readonly limits: RateLimits | undefined;
  /** `undefined` if responses have no assertion. */
  readonly assertions: Assertions | undefined;
}

/** A cached response, with the session and the assertion that it shows. */
class ShownSession extends CachedResponse {
  readonly session: Session;
  readonly assertion: Assertion | undefined;

  constructor({ id, session }: OpenedSession, assertion: Assertion | undefined) {
    super(() => ({ headers: identityFields(id, session, assertion?.text), body: null }));
    this.session = session;
    this.assertion = assertion;
  }
}

/**
 * The handler of proxies' sub-requests (contract.md#forward-authentication). It ignores the identity headers of the
 * request, because anybody can set them. If the request has several session ids, it uses the first one that belongs to
 * a live session that the caller may change. A retired id in its grace (contract.md#rule-9) counts only if there is none.
 */
export class ForwardAuth {
  readonly #parts: ForwardAuthParts;
  /**
   * The cached response of each session, and of each assertion: that one stays the same object for some time even if the
   * store creates a `Session` object for each request, as Redis does. Handle and generation determine the id.
   */
  readonly #cached = new WeakMap<Session | Assertion, ShownSession>();
  /** The response that lets a preflight through, even if sessions are required. No session is created. */
  readonly #preflight: ApiResponse;
  readonly #findIds: FindSessionIds;
  readonly #cookieOf: ReturnType<typeof createSessionCookies>;

  constructor(parts: ForwardAuthParts) {
    this.#parts = parts;
    this.#findIds = createSessionIdFinder(parts.config.forwardAuthSources, parts.config.cookieName);
    this.#cookieOf = createSessionCookies(parts.config);
    const fields = identityFields("", noIdentity, parts.assertions && "");
    this.#preflight = new CachedResponse(() => ({ headers: fields, body: null }));
  }

  handle({ request, principal }: Call): ResponseOrPromise {
    // A response to TRACE must not contain secrets from the request, such as a session id (RFC 9110, section 9.3.8).
    if (request.method === "TRACE") {
      throw new Refusal({ code: "method-not-allowed", allow: METHODS });
    }
    const original = originalOf(request, principal);
    if (isPreflight(original)) return this.#preflight;
    return this.#useFirst(this.#findIds(request, original.uri), changeScope(principal), original);
  }

  /** Uses the first of the sessions that is live and within `scope`; else `retired`, the session of a retired id. */
  #useFirst(ids: SessionIds, scope: Scope, original: Original, retired?: OpenedSession): ResponseOrPromise {
    for (let id = ids.next(); id !== undefined; id = ids.next()) {
      const found = this.#parts.service.useIfIssued(id, scope);
      if (found === null) continue;
      ids.countLookup(id);
      if (found instanceof Promise) {
        return found.then((used) => {
          if (used === undefined) return this.#useFirst(ids, scope, original, retired);
          if (!(used instanceof RetiredSession)) return this.#respond({ id, session: used }, original, false);
          return this.#useFirst(ids, scope, original, retired ?? { id, session: used.session });
        });
      }
      // The session of a retired id always comes with a promise, because the store is asked when the id was retired.
      if (found !== undefined && !(found instanceof RetiredSession)) {
        return this.#respond({ id, session: found }, original, false);
      }
    }
    return retired === undefined ? this.#respondWithoutSession(original) : this.#respond(retired, original, false);
  }

  #respondWithoutSession(original: Original): ResponseOrPromise {
    const { config, limits, service } = this.#parts;
    if (config.forwardAuth === "required") throw new Refusal({ code: "session-required" });
    limits?.miss(original.request, original.principal);
    const created = service.create(noIdentity);
    return created instanceof Promise
      ? created.then((opened) => this.#respond(opened, original, true))
      : this.#respond(created, original, true);
  }

  #respond(opened: OpenedSession, original: Original, isNew: boolean): ApiResponse {
    const { id, session } = opened;
    const { recorder, clock, queryKeys, assertions } = this.#parts;
    const record = forwardedRecord(decoded(original), clock(), queryKeys);
    if (isNew) {
      recorder.recordFirst(opened, record);
      const cookie = this.#cookieOf(id, original.request.header("x-forwarded-proto"));
      const headers = { ...identityFields(id, session, assertions?.of(session).text), "set-cookie": cookie };
      return { status: 200, headers, body: null };
    }
    recorder.recordBestEffort(opened, record);
    const own = this.#cached.get(session);
    if (own !== undefined && (own.assertion === undefined || assertions?.isFresh(own.assertion) === true)) {
      return own;
    }
    const assertion = assertions?.of(session);
    const other = assertion && this.#cached.get(assertion);
    if (other !== undefined && isShownAs(session, other.session)) return other;
    const response = new ShownSession(opened, assertion);
    this.#cached.set(session, response);
    if (assertion !== undefined) this.#cached.set(assertion, response);
    return response;
  }
}

/** Returns 401, 403, or 503 if a later request may succeed. nginx turns every other status into 500. */
export function forwardAuthStatus(reason: Reason): number {
  const status = problemStatus[reason.code];
  if (status === 429 || status === 408) return 503;
  return status === 401 || status === 503 ? status : 403;
}

/** The methods of sub-requests: some proxies use the method of the original request, others use GET. */
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** The original request, reported by the proxy; `uri` and `service` have one character per byte. */
interface Original {
  readonly method: string;
  readonly uri: string;
  readonly service: string | null;
  /** The sub-request that describes the original request. */
  readonly request: HttpRequest;
  /** The caller who sent the sub-request. */
  readonly principal: Principal;
}

/** Returns the parts of the original request that are recorded, as text. */
function decoded({ method, uri, service }: Original) {
  return {
    method,
    uri: textOfBytes(uri),
    service: service === null ? null : textOfBytes(service),
  };
}

type MethodHeaders = readonly [string, string];
const methodHeaders: MethodHeaders = ["x-forwarded-method", "x-original-method"];
const reversedHeaders: MethodHeaders = ["x-original-method", "x-forwarded-method"];

/**
 * The headers in which proxies report the original request. A proxy reports the URI and the method in headers of the
 * same family, so the method is first looked for in the family of the URI. An empty header counts as absent.
 */
const families = [
  ["x-forwarded-uri", methodHeaders],
  ["x-original-uri", reversedHeaders],
] as const;

function originalOf(request: HttpRequest, principal: Principal): Original {
  const service = request.header("x-forwarded-host");
  for (const [uriHeader, names] of families) {
    const uri = request.header(uriHeader);
    if (uri) return { method: methodOf(request, names), uri, service, request, principal };
  }
  const uri = uriBelow(request);
  return { method: methodOf(request, methodHeaders), uri, service, request, principal };
}

function methodOf(request: HttpRequest, [first, second]: MethodHeaders): string {
  return request.header(first) || request.header(second) || request.method;
}

/**
 * Returns whether the original request is a CORS preflight, which never carries a cookie or a credential. If both
 * method headers are present and differ, the client may have made up one of them, so the request is not treated as a
 * preflight.
 */
function isPreflight({ method, request }: Original): boolean {
  if (method !== "OPTIONS") return false;
  return methodHeaders.every((name) => (request.header(name) || method) === method);
}

/** Returns the URI that Envoy appends to the path; the root if nothing is appended. */
function uriBelow({ path, query }: HttpRequest): string {
  const below = path.slice(FORWARD_AUTH_PATH.length);
  return `${below.startsWith("/") ? below : "/"}${query === "" ? "" : `?${query}`}`;
}

/** Returns whether the identity headers of both states of a session are the same. */
function isShownAs(session: Session, other: Session): boolean {
  const isSameId = session.handle === other.handle && session.generation === other.generation;
  return isSameId && idFields.every((field) => session[field] === other[field]);
}

/** The header that shows each id, in lower case as in every response. */
const shownHeaders = idFields.map((field) => [field, `gkc-${field.toLowerCase()}`] as const);

/**
 * Returns all identity headers. A header without a value is empty and not left out
 * (contract.md#forward-authentication), because a proxy may pass on the client's own header if the response does not
 * have it. `assertion` is `undefined` if no response has one, "" if there is no session.
 */
function identityFields(id: string, identity: Identity, assertion: string | undefined): HeaderFields {
  const headers: Record<string, string> = {
    "cache-control": "no-store",
    "gkc-sessionid": id,
  };
  for (const [field, name] of shownHeaders) headers[name] = headerValue(identity[field]);
  if (assertion !== undefined) headers["gkc-assertion"] = assertion;
  return headers;
}

/** Returns an id as a header value: one character for each UTF-8 byte (contract.md#header-bytes). */
function headerValue(id: string | null): string {
  if (id === null) return "";
  return isPrintableAscii(id) ? id : Buffer.from(id).toString("latin1");
}
