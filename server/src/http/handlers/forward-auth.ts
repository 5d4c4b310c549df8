import { problemStatus } from "@antechamber/client/protocol";
import { CachedResponse, type HeaderFields, type HttpRequest } from "@antechamber/http1";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { SessionService } from "../../services/sessions.ts";
import { type Reason, Refusal } from "../../session/errors.ts";
import { changeScope, type Principal, type Scope } from "../../session/permissions.ts";
import { forwardedRecord } from "../../session/record.ts";
import { type Identity, noIdentity, type Session } from "../../session/session.ts";
import type { ApiResponse } from "../app/api-response.ts";
import type { RateLimits } from "../app/rate-limits.ts";
import { textOfBytes } from "../parse/header-text.ts";
import { createSessionIdFinder, type SessionIds } from "../parse/session-ids.ts";
import { type CookieSettings, createSessionCookies } from "./session-cookie.ts";
import type { Answer, Call } from "./sessions.ts";

/** The path that proxies ask at; what Envoy appends to it is the path of the original request. */
export const FORWARD_AUTH_PATH = "/forward-auth";

/**
 * Whether a request's target, or its beginning, names the path of a proxy's sub-request. Every response to that
 * has one of a few statuses, even to a malformed request. The target may name the host too.
 */
export function isForwardAuthTarget(target: string): boolean {
  const path = target.replace(/^https?:\/\/[^/?]*/i, "");
  const after = path[FORWARD_AUTH_PATH.length];
  return path.startsWith(FORWARD_AUTH_PATH) && (after === undefined || "/?".includes(after));
}

/** Answers a reverse proxy's sub-request (contract.md#forward-authentication). */
export type ForwardAuth = (call: Call) => Answer;

/** The settings of `/forward-auth`. */
export type ForwardAuthConfig = Pick<Config, "forwardAuth" | "forwardAuthSources"> & CookieSettings;

/** What the handler works with; `keptKeys` are the query parameters that are kept in paths. */
export interface ForwardAuthParts {
  readonly service: SessionService;
  readonly clock: Clock;
  readonly config: ForwardAuthConfig;
  readonly keptKeys: ReadonlySet<string>;
  readonly limits: RateLimits | undefined;
}

/**
 * The handler. The identity headers of the request are its sender's own words: nobody looks at them.
 * Of several session ids the first that leads to a live session within the caller's reach counts.
 */
export function createForwardAuth({
  service,
  clock,
  config,
  keptKeys,
  limits,
}: ForwardAuthParts): ForwardAuth {
  /** Answers are kept with their sessions: a session never changes, a change makes a new one. */
  const known = new WeakMap<Session, ApiResponse>();
  const findIds = createSessionIdFinder(config.forwardAuthSources, config.cookieName);
  const cookieOf = createSessionCookies(config);

  function admitted(session: Session, original: Original, isNew: boolean): ApiResponse {
    service.recordBestEffort(session, forwardedRecord(inText(original), clock(), keptKeys));
    if (isNew) {
      const cookie = cookieOf(session.id, original.request.header("x-forwarded-proto"));
      return {
        status: 200,
        headers: { ...identityFields(session), "set-cookie": cookie },
        body: null,
      };
    }
    let answer = known.get(session);
    if (answer === undefined) {
      answer = new CachedResponse(() => ({ headers: identityFields(session), body: null }));
      known.set(session, answer);
    }
    return answer;
  }

  function withoutSession(original: Original): Answer {
    if (config.forwardAuth === "required") throw new Refusal({ code: "session-required" });
    limits?.miss(original.request, original.principal);
    const created = service.create(noIdentity);
    return created instanceof Promise
      ? created.then((session) => admitted(session, original, true))
      : admitted(created, original, true);
  }

  function firstLive(ids: SessionIds, scope: Scope, original: Original): Answer {
    for (let id = ids.next(); id !== undefined; id = ids.next()) {
      const found = service.useIfIssued(id, scope);
      if (found === null) continue;
      ids.countLookup(id);
      if (found instanceof Promise) {
        return found.then((session) =>
          session === undefined
            ? firstLive(ids, scope, original)
            : admitted(session, original, false),
        );
      }
      if (found !== undefined) return admitted(found, original, false);
    }
    return withoutSession(original);
  }

  return ({ request, principal }) => {
    // A response to TRACE must not repeat the request's fields (RFC 9110, section 9.3.8).
    if (request.method === "TRACE")
      throw new Refusal({ code: "method-not-allowed", allow: METHODS });
    const original = originalOf(request, principal);
    if (isPreflight(original)) return preflightResponse;
    return firstLive(findIds(request, original.uri), changeScope(principal), original);
  };
}

/**
 * A refusal as a proxy understands it: 401, 403 or 503, as nginx makes 500 of all else. What waiting
 * mends is 503.
 */
export function forwardAuthStatus(reason: Reason): number {
  const status = problemStatus[reason.code];
  if (status === 429 || status === 408) return 503;
  return status === 401 || status === 503 ? status : 403;
}

/** The methods of sub-requests: mostly that of the original request, or GET. */
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** The original request, reported by the proxy; `uri` and `service` have one character per byte. */
interface Original {
  readonly method: string;
  readonly uri: string;
  readonly service: string | null;
  /** The sub-request that tells of it, and whose that is. */
  readonly request: HttpRequest;
  readonly principal: Principal;
}

function inText({ method, uri, service }: Original) {
  return {
    method,
    uri: textOfBytes(uri),
    service: service === null ? null : textOfBytes(service),
  };
}

const methodHeaders = ["x-forwarded-method", "x-original-method"] as const;

/** A proxy reports URI and method in the same family of headers; an empty one reports nothing. */
const families = [
  ["x-forwarded-uri", methodHeaders],
  ["x-original-uri", methodHeaders.toReversed()],
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

function methodOf(request: HttpRequest, names: readonly string[]): string {
  for (const name of names) {
    const method = request.header(name);
    if (method) return method;
  }
  return request.method;
}

/**
 * Whether the request is a CORS preflight, which never carries a cookie or a credential. If both method
 * headers are present and differ, one may be the client's own, so the request is not treated as a preflight.
 */
function isPreflight({ method, request }: Original): boolean {
  if (method !== "OPTIONS") return false;
  return methodHeaders.every((name) => (request.header(name) || method) === method);
}

/** What Envoy appends to the path; of a request that names nothing, the root. */
function uriBelow({ path, query }: HttpRequest): string {
  const below = path.slice(FORWARD_AUTH_PATH.length);
  return `${below.startsWith("/") ? below : "/"}${query === "" ? "" : `?${query}`}`;
}

/**
 * Returns every identity header, empty where there is no value (contract.md#forward-authentication): a proxy may pass
 * on the client's own header if this response does not have it.
 */
function identityFields({ id, customerId, agentId, visitId, globalVisitId }: Named): HeaderFields {
  return {
    "cache-control": "no-store",
    "gkc-sessionid": id,
    "gkc-customerid": headerValue(customerId),
    "gkc-agentid": headerValue(agentId),
    "gkc-visitid": headerValue(visitId),
    "gkc-globalvisitid": headerValue(globalVisitId),
  };
}

type Named = Identity & { readonly id: string };

/** Lets a preflight through in both modes: it needs no session, and none is created. */
const preflightResponse = new CachedResponse(() => ({
  headers: identityFields({ ...noIdentity, id: "" }),
  body: null,
}));

const ASCII = /^[\x20-\x7e]*$/;

/** Returns the UTF-8 bytes of an id as one character each, as runtimes write headers (contract.md#header-bytes). */
function headerValue(id: string | null): string {
  if (id === null) return "";
  return ASCII.test(id) ? id : Buffer.from(id).toString("latin1");
}
