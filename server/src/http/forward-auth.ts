import { problemStatus } from "@antechamber/client/protocol";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { SessionService } from "../service.ts";
import { changeScope, type Principal, type Scope } from "../session/access.ts";
import { type Reason, Refusal } from "../session/errors.ts";
import { forwardedRecord } from "../session/record.ts";
import { nobody, type Session } from "../session/session.ts";
import type { Limits } from "./limits.ts";
import { type ApiRequest, type ApiResponse, type HeaderFields, KeptResponse } from "./messages.ts";
import { sessionIdsOf } from "./session-ids.ts";
import type { Answer, Call } from "./sessions.ts";

/** The path that proxies ask at; what Envoy appends to it is the path of the original request. */
export const FORWARD_AUTH_PATH = "/forward-auth";

/** Answers a reverse proxy's sub-request (contract, section 2: forward authentication). */
export type ForwardAuth = (call: Call) => Answer;

/** What the handler works with; `keptKeys` are the query parameters that are kept in paths. */
export interface ForwardAuthParts {
  readonly service: SessionService;
  readonly clock: Clock;
  readonly config: Pick<Config, "forwardAuth" | "cookieHttpOnly">;
  readonly keptKeys: ReadonlySet<string>;
  readonly limits: Limits | undefined;
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

  function admitted(session: Session, original: Original, isNew: boolean): ApiResponse {
    service.note(session, forwardedRecord(original, clock(), keptKeys));
    if (isNew) {
      const isSecure = original.request.header("x-forwarded-proto") === "https";
      const cookie = cookieOf(session, isSecure, config.cookieHttpOnly);
      return {
        status: 200,
        headers: { ...identityFields(session), "set-cookie": cookie },
        body: null,
      };
    }
    let answer = known.get(session);
    if (answer === undefined) {
      answer = new KeptResponse(() => ({ headers: identityFields(session), body: null }));
      known.set(session, answer);
    }
    return answer;
  }

  function withoutSession(original: Original): Answer {
    if (config.forwardAuth === "required") throw new Refusal({ code: "session-required" });
    limits?.miss(original.request, original.principal);
    const created = service.create(nobody);
    return created instanceof Promise
      ? created.then((session) => admitted(session, original, true))
      : admitted(created, original, true);
  }

  function tryEach(ids: readonly string[], scope: Scope, original: Original): Answer {
    for (const [i, id] of ids.entries()) {
      const found = service.peek(id, scope);
      if (found instanceof Promise) {
        return found.then((session) =>
          session === undefined
            ? tryEach(ids.slice(i + 1), scope, original)
            : admitted(session, original, false),
        );
      }
      if (found !== undefined) return admitted(found, original, false);
    }
    return withoutSession(original);
  }

  return ({ request, principal }) => {
    const original = originalOf(request, principal);
    return tryEach(sessionIdsOf(request, original.uri), changeScope(principal), original);
  };
}

/**
 * A refusal as a proxy understands it: 401, 403 or 503, as nginx makes 500 of all else. What waiting
 * mends is 503.
 */
export function forwardAuthStatus(reason: Reason): number {
  const status = problemStatus[reason.code];
  if (status === 429) return 503;
  return status === 401 || status === 503 ? status : 403;
}

/** The request that the proxy asks about. */
interface Original {
  readonly method: string;
  readonly uri: string;
  readonly service: string | null;
  /** The sub-request that tells of it, and whose that is. */
  readonly request: ApiRequest;
  readonly principal: Principal;
}

/** A proxy tells method and URI by the same family of headers. */
const families = [
  ["x-forwarded-uri", "x-forwarded-method"],
  ["x-original-uri", "x-original-method"],
] as const;

function originalOf(request: ApiRequest, principal: Principal): Original {
  const service = request.header("x-forwarded-host");
  for (const [uriHeader, methodHeader] of families) {
    const uri = request.header(uriHeader);
    if (uri === null) continue;
    const method = request.header(methodHeader) ?? request.method;
    return { method, uri, service, request, principal };
  }
  const method = families.map(([, header]) => request.header(header)).find((name) => name !== null);
  const uri = uriBelow(request);
  return { method: method ?? request.method, uri, service, request, principal };
}

/** What Envoy appends to the path; of a request that names nothing, the root. */
function uriBelow({ path, query }: ApiRequest): string {
  const below = path.slice(FORWARD_AUTH_PATH.length);
  return `${below.startsWith("/") ? below : "/"}${query === "" ? "" : `?${query}`}`;
}

/**
 * Every identity header, empty where there is no value: what the authority omits, a proxy may let
 * through from the client (contract, section 2).
 */
function identityFields(session: Session): HeaderFields {
  return {
    "cache-control": "no-store",
    "gkc-sessionid": session.id,
    "gkc-customerid": headerValue(session.customerId),
    "gkc-agentid": headerValue(session.agentId),
    "gkc-visitid": headerValue(session.visitId),
    "gkc-globalvisitid": headerValue(session.globalVisitId),
  };
}

const ASCII = /^[\x20-\x7e]*$/;

/** Header bytes are UTF-8 (contract, Ids); runtimes take a character a byte. */
function headerValue(id: string | null): string {
  if (id === null) return "";
  return ASCII.test(id) ? id : Buffer.from(id).toString("latin1");
}

/** A cookie for the browser's own session (RFC 6265bis); how long it lives is the server's to say. */
function cookieOf(session: Session, isSecure: boolean, isHttpOnly: boolean): string {
  const attributes = ["Path=/", "SameSite=Lax"];
  if (isHttpOnly) attributes.push("HttpOnly");
  if (isSecure) attributes.push("Secure");
  return [`sessionId=${session.id}`, ...attributes].join("; ");
}
