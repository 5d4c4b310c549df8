import { type HeaderFields, type HttpRequest, withFields } from "@antechamber/http1";
import { headerFields, headerNames } from "../../session/fields.ts";
import type { ApiResponse } from "../api-response.ts";

/** The request headers that a web page may send: those of the API in both spellings, and those with credentials. */
const allowedHeaders = [
  ...headerFields.flatMap(headerNames),
  "gkc_sessionId",
  "gkc-sessionId",
  // Headers that only the clients of the dialects send (contract.md#dialects).
  "gkc_apiClientId",
  "gkc-apiClientId",
  "gkc_apiClientMediaType",
  "gkc-apiClientMediaType",
  "ContactCenterID",
  "x-api-key",
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-Match",
  "If-None-Match",
  "Last-Event-ID",
  "X-Request-Id",
].join(", ");
/** The wildcard alone would not include `Authorization` (Fetch standard, CORS-preflight fetch). */
const anyHeader = `${allowedHeaders}, *`;
const anyMethod = "GET, HEAD, PUT, POST, PATCH, DELETE, *";
const exposedHeaders =
  "Content-Location, ETag, gkc_sessionId, Last-Event-ID, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";
/** How long a browser may cache the response to a preflight. */
const MAX_AGE_SECONDS = 600;

/** Cross-origin rules for browsers (Fetch standard, CORS protocol). */
export type Cors = ReturnType<typeof createCors>;

/** Creates the rules for `origins`; "*" allows any. Cookies are never allowed: no credential is a cookie. */
export function createCors(origins: readonly string[]) {
  const any = origins.includes("*");
  const listed = new Set(origins);

  function originHeaders(request: HttpRequest): HeaderFields | undefined {
    const origin = request.header("origin");
    if (origin === null) return undefined;
    if (any) return { "access-control-allow-origin": "*" };
    return listed.has(origin) ? { "access-control-allow-origin": origin, vary: "Origin" } : undefined;
  }

  return {
    /**
     * Responds to a preflight. Returns `undefined` if the request is not a preflight, or if its origin is not allowed.
     * `allow` lists the methods of the path; `undefined` if the path does not exist. A preflight for an unknown path or
     * method succeeds, so that the page then gets the status 404 or 405 and not a failed preflight.
     */
    preflight(request: HttpRequest, allow: string | undefined): ApiResponse | undefined {
      const method = request.header("access-control-request-method");
      if (method === null) return undefined;
      const forOrigin = originHeaders(request);
      if (forOrigin === undefined) return undefined;
      const methods = allow?.split(", ").includes(method) ? allow : anyMethod;
      return {
        status: 204,
        headers: {
          ...forOrigin,
          "access-control-allow-methods": methods,
          "access-control-allow-headers": allow === undefined ? anyHeader : allowedHeaders,
          "access-control-max-age": String(MAX_AGE_SECONDS),
          "cache-control": "no-store",
        },
        body: null,
      };
    },
    /** Returns the response with the headers that allow the origin of the request to read it. */
    apply(request: HttpRequest, response: ApiResponse): ApiResponse {
      const forOrigin = originHeaders(request);
      // A cache must not use the response to one origin for another origin.
      const added = forOrigin ?? (any ? {} : { vary: "Origin" });
      const exposed = forOrigin === undefined ? {} : { "access-control-expose-headers": exposedHeaders };
      return withFields(response, { ...added, ...exposed });
    },
  };
}
