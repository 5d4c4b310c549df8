import { problemStatus } from "@antechamber/client/protocol";
import { CachedResponse, type HeaderFields, type HttpRequest } from "@antechamber/http1";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SessionService } from "../../services/sessions.ts";
import { type Reason, Refusal } from "../../session/errors.ts";
import { idFields } from "../../session/fields.ts";
import { changeScope, type Principal, type Scope } from "../../session/permissions.ts";
import { forwardedRecord } from "../../session/record.ts";
import { type Identity, noIdentity, type Session } from "../../session/session.ts";
import { isPrintableAscii } from "../../session/text.ts";
import type { ApiResponse } from "../api-response.ts";
import type { Call, ResponseOrPromise } from "../call.ts";
import { textOfBytes } from "../parse/header-text.ts";
import {
  createSessionIdFinder,
  type FindSessionIds,
  type SessionIds,
} from "../parse/session-ids.ts";
import type { RateLimits } from "../rate-limits.ts";
import { type CookieSettings, createSessionCookies } from "./session-cookie.ts";

/** The path of the sub-requests of proxies. Envoy appends the path of the original request. */
export const FORWARD_AUTH_PATH = "/forward-auth";

/**
 * Returns whether a request's target, or its beginning, is that of a proxy's sub-request. Every response to such a
 * request has one of a few statuses, even if the request is malformed. The target may have a scheme and a host.
 */
export function isForwardAuthTarget(target: string): boolean {
  const path = target.replace(/^https?:\/\/[^/?]*/i, "");
  const after = path[FORWARD_AUTH_PATH.length];
  return path.startsWith(FORWARD_AUTH_PATH) && (after === undefined || "/?".includes(after));
}

/** The settings of `/forward-auth`. */
export type ForwardAuthConfig = Pick<Config, "forwardAuth" | "forwardAuthSources"> & CookieSettings;

export interface ForwardAuthParts {
  readonly service: SessionService;
  readonly clock: Clock;
  readonly config: ForwardAuthConfig;
  /** The query parameters that are recorded. */
  readonly queryKeys: ReadonlySet<string>;
  readonly limits: RateLimits | undefined;
}

/**
 * The handler of proxies' sub-requests (contract.md#forward-authentication). Ignores the identity headers of the
 * request, which anybody can set. Uses the first of several session ids that belongs to a live session which the
 * caller may change.
 */
export class ForwardAuth {
  readonly #parts: ForwardAuthParts;
  /** Responses with a session. They never become stale: a change creates another `Session` object. */
  readonly #cached = new WeakMap<Session, ApiResponse>();
  readonly #findIds: FindSessionIds;
  readonly #cookieOf: ReturnType<typeof createSessionCookies>;

  constructor(parts: ForwardAuthParts) {
    this.#parts = parts;
    this.#findIds = createSessionIdFinder(parts.config.forwardAuthSources, parts.config.cookieName);
    this.#cookieOf = createSessionCookies(parts.config);
  }

  handle({ request, principal }: Call): ResponseOrPromise {
    // A response to TRACE must not repeat the request's fields (RFC 9110, section 9.3.8).
    if (request.method === "TRACE") {
      throw new Refusal({ code: "method-not-allowed", allow: METHODS });
    }
    const original = originalOf(request, principal);
    if (isPreflight(original)) return preflightResponse;
    return this.#useFirst(this.#findIds(request, original.uri), changeScope(principal), original);
  }

  /** Uses the first of the sessions that is live and within `scope`. */
  #useFirst(ids: SessionIds, scope: Scope, original: Original): ResponseOrPromise {
    for (let id = ids.next(); id !== undefined; id = ids.next()) {
      const found = this.#parts.service.useIfIssued(id, scope);
      if (found === null) continue;
      ids.countLookup(id);
      if (found instanceof Promise) {
        return found.then((session) =>
          session === undefined
            ? this.#useFirst(ids, scope, original)
            : this.#respond(session, original, false),
        );
      }
      if (found !== undefined) return this.#respond(found, original, false);
    }
    return this.#respondWithoutSession(original);
  }

  #respondWithoutSession(original: Original): ResponseOrPromise {
    const { config, limits, service } = this.#parts;
    if (config.forwardAuth === "required") throw new Refusal({ code: "session-required" });
    limits?.miss(original.request, original.principal);
    const created = service.create(noIdentity);
    return created instanceof Promise
      ? created.then((session) => this.#respond(session, original, true))
      : this.#respond(created, original, true);
  }

  #respond(session: Session, original: Original, isNew: boolean): ApiResponse {
    const { service, clock, queryKeys } = this.#parts;
    service.recordBestEffort(session, forwardedRecord(decoded(original), clock(), queryKeys));
    if (isNew) {
      const cookie = this.#cookieOf(session.id, original.request.header("x-forwarded-proto"));
      const headers = { ...identityFields(session), "set-cookie": cookie };
      return { status: 200, headers, body: null };
    }
    let response = this.#cached.get(session);
    if (response === undefined) {
      response = new CachedResponse(() => ({ headers: identityFields(session), body: null }));
      this.#cached.set(session, response);
    }
    return response;
  }
}

/**
 * Returns the status of a refusal: 401, 403 or 503, because nginx turns every other status into 500. 503 means that
 * a later request may succeed.
 */
export function forwardAuthStatus(reason: Reason): number {
  const status = problemStatus[reason.code];
  if (status === 429 || status === 408) return 503;
  return status === 401 || status === 503 ? status : 403;
}

/** The methods of sub-requests: of the original request, or GET. */
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

/** A proxy reports URI and method in the same family of headers; an empty header counts as absent. */
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
 * Whether the request is a CORS preflight, which never carries a cookie or a credential. If both method
 * headers are present and differ, one may be the client's own, so the request is not treated as a preflight.
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

/** The header that shows each id, in lower case as in every response. */
const shownHeaders = idFields.map((field) => [field, `gkc-${field.toLowerCase()}`] as const);

/**
 * Returns every identity header, empty where there is no value (contract.md#forward-authentication): a proxy may pass
 * on the client's own header if this response does not have it.
 */
function identityFields(session: Identity & { readonly id: string }): HeaderFields {
  const headers: Record<string, string> = {
    "cache-control": "no-store",
    "gkc-sessionid": session.id,
  };
  for (const [field, name] of shownHeaders) headers[name] = headerValue(session[field]);
  return headers;
}

/** Lets a preflight through in both modes: it needs no session, and none is created. */
const preflightResponse = new CachedResponse(() => ({
  headers: identityFields({ ...noIdentity, id: "" }),
  body: null,
}));

/** Returns the UTF-8 bytes of an id as one character each, as runtimes write headers (contract.md#header-bytes). */
function headerValue(id: string | null): string {
  if (id === null) return "";
  return isPrintableAscii(id) ? id : Buffer.from(id).toString("latin1");
}
