import { randomUUID } from "node:crypto";
import type { HttpRequest, RejectedRequest } from "@antechamber/http1";
import { type Reason, Refusal } from "../../session/errors.ts";
import { handleIn, SESSION_ID_CHARACTERS } from "../../session/id.ts";
import type { ApiResponse } from "../api-response.ts";
import type { ResponseOrPromise } from "../call.ts";
import { restate } from "../handlers/dialects/refusals.ts";
import { problemResponse } from "../problems.ts";
import type { AppParts } from "./app-parts.ts";
import { createProxyWarnings } from "./proxy-warnings.ts";
import { createRejectionThrottle } from "./rejection-throttle.ts";
import type { Match, Router } from "./router.ts";

/** Creates the function that responds to an error of a handler or a check. */
export function createRefuse({ config, log, metrics }: AppParts, router: Router) {
  const dialects = new Map(config.basePaths.map(({ path, dialect }) => [path, dialect]));
  const throttle = createRejectionThrottle();
  const warnOfProxy = createProxyWarnings(log, config.auth);

  return (error: unknown, request: HttpRequest, match: Match | undefined): ResponseOrPromise => {
    // An error that is not a `Refusal` is a defect. It is reported as an outage: the caller can only repeat the
    // request.
    const reason: Reason = error instanceof Refusal ? error.reason : { code: "unavailable", retryAfterSeconds: 1 };
    const requestId = requestIdOf(request);
    metrics.refused(reason.code);
    if (match?.route.operation === "forward-auth") warnOfProxy(reason);
    const refused = { requestId, operation: match?.route.operation, code: reason.code };
    if (!(error instanceof Refusal)) log.error({ ...refused, err: error }, "defect");
    else if (reason.code === "unavailable" && config.accessLog !== "off") {
      log.error({ ...refused, err: error.cause }, "refused");
    }
    const status = match?.route.refusalStatus?.(reason);
    const dialect = dialects.get(match?.base ?? router.baseOf(request.path)) ?? "8.5.0";
    const restated = match?.route.restate ?? restate[dialect];
    const response = problemResponse(reason, requestId, { status, restate: restated });
    return reason.code === "too-many-requests" ? throttle(response) : response;
  };
}

/** Responds to a request that is not valid HTTP/1.1, or exceeds a limit. */
export function unreadProblem({ status, detail }: RejectedRequest): ApiResponse {
  const title = status === 408 ? "The request did not arrive in time" : "The request is not valid HTTP";
  return {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store" },
    body: JSON.stringify({ type: "about:blank", title, status, detail }),
  };
}

/**
 * Returns the caller's own `X-Request-Id` if it can be sent back and logged safely, else a new id. A session id is a
 * secret to the log (contract.md#secrets-in-logs), also there.
 */
export function requestIdOf(request: Pick<HttpRequest, "header">): string {
  const given = request.header("x-request-id");
  return given !== null && /^[\w.-]{1,64}$/.test(given) && !isLikeSessionId(given) ? given : randomUUID();
}

function isLikeSessionId(text: string): boolean {
  return text.length === SESSION_ID_CHARACTERS && handleIn(text) !== undefined;
}
