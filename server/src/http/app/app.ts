import { randomUUID } from "node:crypto";
import type { HttpRequest, RejectedRequest } from "@antechamber/http1";
import type { Reason } from "../../session/errors.ts";
import type { ApiResponse } from "../api-response.ts";
import { createClientAddress } from "../auth/client-address.ts";
import type { ResponseOrPromise } from "../call.ts";
import { createInitiatorOf } from "../handlers/administration.ts";
import { EventFeed } from "../handlers/events/event-feed.ts";
import { forwardAuthStatus, isForwardAuthTarget } from "../handlers/forward-auth.ts";
import type { Metrics } from "../metrics.ts";
import { problemResponse } from "../problems.ts";
import { createAccessLog } from "./access-log.ts";
import { createAdmission } from "./admission.ts";
import type { AppParts } from "./app-parts.ts";
import { type Completion, createCompletion } from "./completion.ts";
import { createCors } from "./cors.ts";
import { createRefuse, unreadProblem } from "./refusals.ts";
import { createRouteTables } from "./route-table.ts";
import { type Match, type Route, Router } from "./router.ts";
import { createUnrouted } from "./unrouted.ts";

/** The HTTP application, without a server. A listener hands requests to it. */
export interface App {
  /** The routes at the root, that is, not below a configured base path. */
  readonly routes: readonly Route[];
  /** Responds to a request; never throws, never rejects. */
  handle(request: HttpRequest): ResponseOrPromise;
  /** Responds to a request that could not be read; never throws. */
  refuseUnread(request: RejectedRequest): ApiResponse;
  /** Closes each connection after its next response, and ends the streams of events. */
  stop(): void;
  /** The number of requests since the start. */
  readonly completed: number;
}

export function createApp(parts: AppParts): App {
  const { config, metrics } = parts;
  let hasStopped = false;
  const isStopping = () => hasStopped;
  const proxies = config.socket === undefined ? config.trustedProxies : undefined;
  const initiatorOf = createInitiatorOf(createClientAddress(proxies));
  const feed = new EventFeed({ log: parts.store, metrics });
  metrics.watchEvents(
    () => parts.store.eventBounds(),
    () => feed.readers,
  );
  const bases = createRouteTables(parts, feed, initiatorOf, isStopping);
  const [{ routes }] = bases;
  const router = new Router(bases);
  const cors = config.corsOrigins.length > 0 ? createCors(config.corsOrigins) : undefined;
  const admission = createAdmission(parts, initiatorOf);
  const respondUnrouted = createUnrouted(admission, cors, routes);
  const refuse = createRefuse(parts, router);
  const logAccess = createAccessLog(parts, bases);
  const completion = createCompletion(parts, cors, logAccess, isStopping);
  // Registers every operation, so that the metrics show it even before its first request.
  for (const { operation } of routes) metrics.operation(operation);
  metrics.operation("other");

  return {
    routes,
    handle(request) {
      const startedAt = performance.now();
      const { method, path } = request;
      const direct = router.find(method, path);
      const matches = direct === undefined ? router.match(path) : none;
      const match = direct ?? matchOf(matches, method);
      let response: ResponseOrPromise;
      try {
        response = match === undefined ? respondUnrouted(request, matches) : admission.admit(match, request);
      } catch (error) {
        response = refuse(error, request, match);
      }
      if (!(response instanceof Promise)) {
        return completion.finish(response, request, match, startedAt);
      }
      return response
        .catch((error: unknown) => refuse(error, request, match))
        .then((settled) => completion.finish(settled, request, match, startedAt));
    },
    refuseUnread(unread) {
      if (isForwardAuthTarget(unread.target)) return refuseSubRequest(unread, metrics, completion);
      metrics.unreadable(unread.status);
      return unreadProblem(unread);
    },
    stop() {
      hasStopped = true;
      feed.close();
    },
    get completed() {
      return completion.completed;
    },
  };
}

const none: readonly Match[] = [];

function matchOf(matches: readonly Match[], method: string): Match | undefined {
  return (
    matches.find(({ route }) => route.method === method) ??
    // A HEAD request uses the route of GET if the path has no route for HEAD (RFC 9110, section 9.3.2).
    (method === "HEAD" ? matches.find(({ route }) => route.method === "GET") : undefined) ??
    matches.find(({ route }) => route.method === "*")
  );
}

/** Responds to a proxy's sub-request that could not be read. Counts and logs this request like a readable one. */
function refuseSubRequest(unread: RejectedRequest, metrics: Metrics, completion: Completion): ApiResponse {
  const reason: Reason =
    unread.status === 408
      ? { code: "request-timeout" }
      : { code: "invalid-request", errors: [{ in: "header", name: "", detail: unread.detail }] };
  metrics.refused(reason.code);
  const response = problemResponse(reason, randomUUID(), { status: forwardAuthStatus(reason) });
  const request = { method: unread.method, peer: unread.peer, header: () => null };
  completion.record(response, request, { sessionId: "" }, "forward-auth", 0);
  return response;
}
