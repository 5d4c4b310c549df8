import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";
import type { Principal, Role } from "../../session/permissions.ts";
import type { ResponseOrPromise } from "../call.ts";
import type { InitiatorOf } from "../handlers/administration.ts";
import type { AppParts } from "./app-parts.ts";
import { createHostCheck } from "./host-check.ts";
import type { Match } from "./router.ts";

export type Admission = ReturnType<typeof createAdmission>;

/** Creates the checks that a request must pass before its handler runs: host, rate limits, credential and role. */
export function createAdmission(parts: AppParts, initiatorOf: InitiatorOf) {
  const { authenticate, limits, trail } = parts;
  const checkHost = parts.config.auth === "local" ? createHostCheck() : undefined;

  function runAs(principal: Principal, match: Match, request: HttpRequest): ResponseOrPromise {
    const { route, sessionId, parameters } = match;
    return route.handle({ request, principal, sessionId, parameters });
  }

  function admitAs(
    principal: Principal,
    match: Match,
    request: HttpRequest,
    roles: readonly Role[],
  ): ResponseOrPromise {
    const { rateLimitAs, act } = match.route;
    if (rateLimitAs !== undefined) limits?.byCredential(rateLimitAs, principal);
    const isPermitted = roles.includes(principal.role) && (principal.view === undefined || match.route.isForViews);
    if (isPermitted) return runAs(principal, match, request);
    if (act !== undefined) {
      trail.appendRefusal({ ...initiatorOf(principal, request), what: act, details: {} });
    }
    if (principal.view !== undefined) throw new Refusal({ code: "role-not-permitted" });
    throw new Refusal({ code: "role-not-permitted", allowed: roles });
  }

  return {
    /** Runs the handler of the route, or refuses the request. */
    admit(match: Match, request: HttpRequest): ResponseOrPromise {
      const { rateLimitAs, roles, isSubRequest } = match.route;
      checkHost?.(request);
      // Counted before authentication, so that the rate limit also applies to callers who guess credentials.
      if (rateLimitAs !== undefined) limits?.byAddress(rateLimitAs, request);
      if (roles === "everybody") return runAs(unauthenticated, match, request);
      const principal = authenticate(request, isSubRequest);
      return principal instanceof Promise
        ? principal.then((found) => admitAs(found, match, request, roles))
        : admitAs(principal, match, request, roles);
    },
    /** Checks a request that no route matches, and that therefore needs no credential. */
    checkUnrouted(request: HttpRequest, hasRateLimit: boolean): void {
      checkHost?.(request);
      if (hasRateLimit) limits?.byAddress("requests", request);
    },
  };
}

/** The principal of requests that need no credential. */
const unauthenticated: Principal = { role: "reporter", customerId: null, agentId: null };
