import { randomUUID } from "node:crypto";
import { type HttpRequest, type RejectedRequest, withFields } from "@antechamber/http1";
import type { Logger } from "pino";
import type { DialectName } from "../../config/base-path.ts";
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AuditTrail } from "../../services/audit.ts";
import type { CustomerAdmin } from "../../services/customers.ts";
import type { SessionAdmin } from "../../services/session-admin.ts";
import type { SessionService } from "../../services/sessions.ts";
import { type Reason, Refusal } from "../../session/errors.ts";
import {
  adminRoles,
  endingRoles,
  findingRoles,
  monitoringRoles,
  type Principal,
  recordingRoles,
  roles,
} from "../../session/permissions.ts";
import type { LifecycleStore } from "../../store/ports/lifecycle.ts";
import type { Authenticate } from "../auth/api-key-auth.ts";
import { createClientAddress } from "../auth/client-address.ts";
import {
  createAdministrationHandlers,
  createInitiatorOf,
  type InitiatorOf,
} from "../handlers/administration.ts";
import { envelopeOfV1, envelopeOfV2 } from "../handlers/dialects/envelopes.ts";
import { createHandlersOfV851 } from "../handlers/dialects/v8-5-1.ts";
import { createDocsHandlers } from "../handlers/docs.ts";
import {
  createForwardAuth,
  FORWARD_AUTH_PATH,
  type ForwardAuthConfig,
  forwardAuthStatus,
  isForwardAuthTarget,
} from "../handlers/forward-auth.ts";
import { createHealthHandlers } from "../handlers/health.ts";
import { createRecordHandlers } from "../handlers/records.ts";
import { type Answer, createSessionHandlers } from "../handlers/sessions.ts";
import type { ApiResponse } from "./api-response.ts";
import { createCors } from "./cors.ts";
import { createHostCheck } from "./host-check.ts";
import type { Metrics, OperationMetrics } from "./metrics.ts";
import { problemResponse } from "./problems.ts";
import type { RateLimits } from "./rate-limits.ts";
import { createRejectionThrottle } from "./rejection-throttle.ts";
import { createRouter, type Match, type Route } from "./routes.ts";

/** What the application is made of. */
export interface AppParts {
  readonly config: Pick<
    Config,
    | "auth"
    | "basePaths"
    | "corsOrigins"
    | "accessLog"
    | "recordQueryKeys"
    | "socket"
    | "trustedProxies"
  > &
    ForwardAuthConfig;
  readonly version: string;
  readonly service: SessionService;
  readonly store: Pick<LifecycleStore, "advanceClock" | "status">;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly sessionAdmin: SessionAdmin;
  readonly customers: CustomerAdmin;
  readonly trail: Pick<AuditTrail, "lastSequence" | "readEntries" | "appendRefusal">;
  /** Returns the keyed hash of an id, for logs and the audit trail (contract.md#secrets-in-logs). */
  readonly logHash: (id: string) => string;
  /** Finds out who calls. */
  readonly authenticate: Authenticate;
  /** `undefined`: nobody is limited. */
  readonly limits: RateLimits | undefined;
}

/** The HTTP application, without a server: a listener of either runtime puts requests into it. */
export interface App {
  readonly routes: readonly Route[];
  /** Answers any request; never throws, never rejects. */
  handle(request: HttpRequest): Answer;
  /** Responds to a request that could not be read; never throws. */
  refuseUnread(request: RejectedRequest): ApiResponse;
  /** From now on connections are closed after their answer. */
  stop(): void;
  /** Requests that were admitted and not answered yet. */
  readonly underWay: number;
  /** Requests that were answered since the start. */
  readonly answered: number;
}

/**
 * The routes of every dialect: method, path, permitted callers, the operation's name, its handler. The operations
 * of the Session Management API are in `sessionTables`.
 */
function commonTable(
  parts: AppParts,
  initiatorOf: InitiatorOf,
  isStopping: () => boolean,
): Route[] {
  const { config, service, store, clock, metrics, version, limits } = parts;
  const keptKeys = new Set(config.recordQueryKeys);
  const records = createRecordHandlers(service, clock, keptKeys);
  const forwardAuth = createForwardAuth({ service, clock, config, keptKeys, limits });
  const ofProxies = { refusalStatus: forwardAuthStatus, isSubRequest: true };
  const operational = createHealthHandlers(store, clock, metrics, isStopping);
  const docs = createDocsHandlers({ version, basePaths: config.basePaths, auth: config.auth });
  const admin = createAdministrationHandlers({ ...parts, initiatorOf });
  return [
    { ...row("GET", "/sessions", finding, "list", admin.list), act: "sessions.list" },
    {
      ...row("POST", "/sessions/end", ending, "end-by-filter", admin.endByFilter),
      act: "sessions.end",
    },
    {
      ...row("GET", "/customers/:customerId/export", ruling, "export", admin.exportCustomer),
      act: "customer.export",
    },
    {
      ...row("DELETE", "/customers/:customerId", ruling, "erase", admin.erase),
      act: "customer.erase",
    },
    { ...row("GET", "/audit", ruling, "audit", admin.audit), act: "audit.read" },
    { ...row("DELETE", "/sessions/:sessionId", recording, "end", admin.end), act: "session.end" },
    row("POST", "/sessions/:sessionId/requests", recording, "record", records.record),
    row("GET", "/sessions/:sessionId/requests", api, "timeline", records.timeline),
    { ...row("*", FORWARD_AUTH_PATH, forward, "forward-auth", forwardAuth), ...ofProxies },
    { ...row("*", `${FORWARD_AUTH_PATH}/*`, forward, "forward-auth", forwardAuth), ...ofProxies },
    row("GET", "/healthz", probe, "health", operational.health),
    row("GET", "/readyz", probe, "readiness", operational.ready),
    row("GET", "/metrics", monitor, "metrics", operational.metrics),
    row("GET", "/openapi.json", open, "docs", docs.document),
    row("GET", "/", open, "docs", docs.root),
    row("GET", "/docs", open, "docs", docs.page),
    row("GET", "/docs/*", open, "docs", docs.page),
  ];
}

/** The operations on a session in each dialect (contract.md#dialects). */
function sessionTables({ service, limits }: AppParts): Readonly<Record<DialectName, Route[]>> {
  const plain = createSessionHandlers(service, limits);
  const v851 = createHandlersOfV851(service, limits);
  const current = createSessionHandlers(service, limits, envelopeOfV1);
  const v2 = createSessionHandlers(service, limits, envelopeOfV2);
  return {
    "8.5.0": [
      row("PUT", "/sessions/new", creating, "create", plain.create),
      row("GET", "/sessions/:sessionId", api, "retrieve", plain.retrieve),
      row("HEAD", "/sessions/:sessionId", api, "head", plain.head),
      row("POST", "/sessions/:sessionId", api, "associate", plain.associate),
    ],
    "8.5.1": [
      row("PUT", "/sessions/new", creating, "create", v851.create),
      row("GET", "/sessions/:sessionId", api, "retrieve", v851.retrieve),
      row("HEAD", "/sessions/:sessionId", api, "head", v851.head),
      row("POST", "/sessions/:sessionId", api, "associate", v851.associate),
    ],
    current: [
      row("PUT", "/sessions/new", creating, "create", current.create),
      row("GET", "/sessions/:sessionId", api, "retrieve", current.retrieve),
      row("HEAD", "/sessions/:sessionId", api, "head", current.head),
      row("POST", "/sessions/:sessionId", api, "associate", current.associate),
    ],
    v2: [
      row("POST", "/sessions", creating, "create", v2.create),
      row("PATCH", "/sessions/:sessionId", api, "associate", v2.associate),
    ],
  };
}

/** Returns the whole table of a dialect: its operations on a session come before the other operations on one. */
function withSessions(common: readonly Route[], sessions: readonly Route[]): Route[] {
  const at = common.findIndex(({ path }) => path.startsWith("/sessions/:sessionId"));
  return [...common.slice(0, at), ...sessions, ...common.slice(at)];
}

/** Who may, whether the base paths have it too, and what it rateLimitAs as. */
const api = { who: roles, isUnderBasePath: true, rateLimitAs: "requests" } as const;
const creating = { ...api, rateLimitAs: "creates" } as const;
const recording = { ...api, who: recordingRoles } as const;
const finding = { ...api, who: findingRoles } as const;
const ending = { ...api, who: endingRoles } as const;
const ruling = { ...api, who: adminRoles, isUnderBasePath: false } as const;
const forward = { ...recording, isUnderBasePath: false } as const;
const open = { who: "everybody", isUnderBasePath: false, rateLimitAs: "requests" } as const;
/** Whoever watches over the process must not take a busy one for a dead one. */
const probe = { ...open, rateLimitAs: undefined } as const;
const monitor = { ...open, who: monitoringRoles } as const;

function row(
  method: Route["method"],
  path: string,
  access: Pick<Route, "who" | "isUnderBasePath" | "rateLimitAs">,
  operation: string,
  handle: Route["handle"],
): Route {
  return { method, path, ...access, operation, handle };
}

/** Puts the application together. */
export function createApp(parts: AppParts): App {
  const { config, log, metrics, authenticate, limits } = parts;
  let stopping = false;
  let underWay = 0;
  let answered = 0;
  const proxies = config.socket === undefined ? config.trustedProxies : undefined;
  const initiatorOf = createInitiatorOf(createClientAddress(proxies));
  const common = commonTable(parts, initiatorOf, () => stopping);
  const sessionsIn = sessionTables(parts);
  const routes = withSessions(common, sessionsIn["8.5.0"]);
  const ofBases = common.filter(({ isUnderBasePath: isBased }) => isBased);
  const router = createRouter([
    { path: "", routes },
    ...config.basePaths.map(({ path, dialect }) => ({
      path,
      routes: withSessions(ofBases, sessionsIn[dialect]),
    })),
  ]);
  const dialects = new Map(config.basePaths.map(({ path, dialect }) => [path, dialect]));
  const recorders = new Map<Route, OperationMetrics>(
    [...common, ...Object.values(sessionsIn).flat()].map((route) => [
      route,
      metrics.operation(route.operation),
    ]),
  );
  const forwardAuthRoute = routes.find(({ path }) => path === FORWARD_AUTH_PATH) as Route;
  const otherRecorder = metrics.operation("other");
  const allowed = allowOf(
    routes.filter(({ method }) => method !== "*").map((route) => ({ route })),
  );
  const knownWords = new Set(
    [...routes, ...config.basePaths].flatMap(({ path }) => path.split("/")),
  );
  const checkHost = config.auth === "local" ? createHostCheck() : undefined;
  const throttle = createRejectionThrottle();
  const cors = config.corsOrigins.length > 0 ? createCors(config.corsOrigins) : undefined;

  function admit(match: Match, request: HttpRequest): Answer {
    checkHost?.(request);
    const { rateLimitAs: counts, who } = match.route;
    if (counts !== undefined) limits?.byAddress(counts, request);
    if (who === "everybody") return admitAs(nobody, match, request);
    const principal = authenticate(request, match.route.isSubRequest);
    return principal instanceof Promise
      ? principal.then((known) => admitAs(known, match, request))
      : admitAs(principal, match, request);
  }

  function admitAs(principal: Principal, match: Match, request: HttpRequest): Answer {
    const { route, sessionId, customerId, base } = match;
    const { who, rateLimitAs: counts, act } = route;
    if (who !== "everybody") {
      if (counts !== undefined) limits?.byCredential(counts, principal);
      if (!who.includes(principal.role)) {
        if (act !== undefined) {
          const by = initiatorOf(principal, request);
          parts.trail.appendRefusal({ ...by, what: act, details: {} });
        }
        throw new Refusal({ code: "role-not-permitted" });
      }
    }
    return route.handle({ request, principal, sessionId, customerId, base });
  }

  function serve(match: Match, request: HttpRequest): Answer {
    const startedAt = performance.now();
    underWay++;
    let answer: Answer;
    try {
      answer = admit(match, request);
    } catch (error) {
      answer = refuse(error, request, match);
    }
    return conclude(answer, request, match, startedAt);
  }

  function conclude(
    answer: Answer,
    request: HttpRequest,
    match: Match | undefined,
    startedAt: number,
  ): Answer {
    if (!(answer instanceof Promise)) return finish(answer, request, match, startedAt);
    return answer
      .catch((error: unknown) => refuse(error, request, match))
      .then((response) => finish(response, request, match, startedAt));
  }

  function finish(
    response: ApiResponse,
    request: HttpRequest,
    match: Match | undefined,
    startedAt: number,
  ): ApiResponse {
    underWay--;
    answered++;
    const duration = performance.now() - startedAt;
    const recorder = match === undefined ? otherRecorder : recorders.get(match.route);
    recorder?.record(response.status, duration);
    if (config.accessLog === "all") logAccess(response, request, match, duration);
    const readable = cors === undefined ? response : cors.apply(request, response);
    return stopping ? closing(readable) : readable;
  }

  function refuse(error: unknown, request: HttpRequest, match: Match | undefined): Answer {
    // A defect is told like an outage: the caller can do no more about it than repeat.
    const reason: Reason =
      error instanceof Refusal ? error.reason : { code: "unavailable", retryAfterSeconds: 1 };
    const requestId = requestIdOf(request);
    metrics.refused(reason.code);
    const refused = { requestId, operation: match?.route.operation, code: reason.code };
    if (!(error instanceof Refusal)) log.error({ ...refused, err: error }, "defect");
    else if (reason.code === "unavailable" && config.accessLog !== "off") {
      log.error({ ...refused, err: error.cause }, "refused");
    }
    const status = match?.route.refusalStatus?.(reason);
    const dialect = dialects.get(match?.base ?? router.baseOf(request.path));
    const answer = problemResponse(reason, requestId, status, dialect);
    return reason.code === "too-many-requests" ? throttle(answer) : answer;
  }

  function logAccess(
    { status, headers, refusal }: Pick<ApiResponse, "status" | "headers" | "refusal">,
    request: Pick<HttpRequest, "method" | "peer" | "header"> & Partial<Pick<HttpRequest, "path">>,
    match: Pick<Match, "route" | "sessionId"> | undefined,
    duration: number,
  ): void {
    const session = match === undefined || match.sessionId === "" ? undefined : match.sessionId;
    log.info(
      {
        // A refusal has told the caller one already.
        requestId: headers["x-request-id"] ?? requestIdOf(request),
        operation: match?.route.operation ?? "other",
        method: request.method,
        // For a known operation, its name implies the path.
        path: match === undefined ? pathHint(request.path ?? "") : undefined,
        status,
        code: refusal,
        durationMs: Math.round(duration * 1000) / 1000,
        peer: request.peer,
        session: session === undefined ? undefined : parts.logHash(session),
      },
      "request",
    );
  }

  /** An unreadable sub-request of a proxy is answered, counted and logged like a readable one. */
  function refuseUnread(unread: RejectedRequest): ApiResponse {
    if (!isForwardAuthTarget(unread.target)) {
      metrics.unreadable(unread.status);
      return unreadProblem(unread);
    }
    answered++;
    const reason: Reason =
      unread.status === 408
        ? { code: "request-timeout" }
        : { code: "invalid-request", errors: [{ in: "header", name: "", detail: unread.detail }] };
    metrics.refused(reason.code);
    const answer = problemResponse(reason, randomUUID(), forwardAuthStatus(reason));
    recorders.get(forwardAuthRoute)?.record(answer.status, 0);
    const request = { ...unread, header: () => null };
    if (config.accessLog === "all") {
      logAccess(answer, request, { route: forwardAuthRoute, sessionId: "" }, 0);
    }
    return answer;
  }

  /** Returns the words of the API in an unknown path; any other segment may be an id or a secret. */
  function pathHint(path: string): string {
    const segments = path.split("/").slice(1, 1 + MAX_HINTED);
    return segments.map((segment) => `/${knownWords.has(segment) ? segment : "*"}`).join("");
  }

  /** A request that no route serves as it is: OPTIONS, an unknown path, a method that is not taken. */
  function handleOther(matches: readonly Match[], request: HttpRequest): Answer {
    const startedAt = performance.now();
    underWay++;
    const match = matches[0];
    let answer: Answer;
    try {
      checkHost?.(request);
      const isServer = isForServer(request);
      // Health checks of proxies send such requests: like the probes, they have no rate limit.
      if (!isServer || request.method === "CONNECT") limits?.byAddress("requests", request);
      const allow = isServer ? allowed : match === undefined ? undefined : allowOf(matches);
      answer =
        (request.method === "OPTIONS" ? cors?.preflight(request, allow) : undefined) ??
        withoutRoute(request, allow);
    } catch (error) {
      answer = refuse(error, request, undefined);
    }
    return conclude(answer, request, undefined, startedAt);
  }

  return {
    routes,
    refuseUnread,
    handle(request) {
      const { method, path } = request;
      const usual = router.find(method, path);
      if (usual !== undefined) return serve(usual, request);
      const matches = router.match(path);
      const match =
        matches.find(({ route }) => route.method === method) ??
        // HEAD is GET without a body, where a route does not say otherwise (RFC 9110, section 9.3.2).
        (method === "HEAD" ? matches.find(({ route }) => route.method === "GET") : undefined) ??
        matches.find(({ route }) => route.method === "*");
      return match === undefined ? handleOther(matches, request) : serve(match, request);
    },
    stop() {
      stopping = true;
    },
    get underWay() {
      return underWay;
    },
    get answered() {
      return answered;
    },
  };
}

/** How many segments of an unknown path are shown in the log. */
const MAX_HINTED = 8;

/** The principal of a route that asks nobody who they are. */
const nobody = { role: "reporter", customerId: null, agentId: null } as const;

/** Responds to a request that no route serves: `allow` are the methods of its path; without them the path is unknown. */
function withoutRoute({ method }: HttpRequest, allow: string | undefined): ApiResponse {
  if (allow === undefined) throw new Refusal({ code: "not-found" });
  if (method !== "OPTIONS") throw new Refusal({ code: "method-not-allowed", allow });
  return options(allow);
}

function allowOf(matches: readonly Pick<Match, "route">[]): string {
  const methods = new Set<string>(matches.map(({ route }) => route.method));
  if (methods.has("GET")) methods.add("HEAD");
  return [...methods, "OPTIONS"].join(", ");
}

/**
 * Whether a request is about the server and not about one of its paths: `OPTIONS *` and `OPTIONS /`, which
 * HAProxy sends as health checks, and `CONNECT`, which names no path.
 */
function isForServer({ method, path }: HttpRequest): boolean {
  return method === "OPTIONS" ? path === "*" || path === "/" : method === "CONNECT";
}

/** Responds to a request that is not valid HTTP/1.1, or exceeds a limit. */
function unreadProblem({ status, detail }: RejectedRequest): ApiResponse {
  const title =
    status === 408 ? "The request did not arrive in time" : "The request is not valid HTTP";
  return {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    body: JSON.stringify({ type: "about:blank", title, status, detail }),
  };
}

function options(allow: string): ApiResponse {
  return { status: 204, headers: { allow, "cache-control": "no-store" }, body: null };
}

function closing(response: ApiResponse): ApiResponse {
  return withFields(response, { connection: "close" });
}

/** The caller's own request id if it is a harmless one, else a new one. */
function requestIdOf(request: Pick<HttpRequest, "header">): string {
  const given = request.header("x-request-id");
  return given !== null && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}
