import type { TrackedRequest } from "./request-tracking.ts";
import { isSameCookie } from "./set-cookie.ts";

/** The status and headers of a response that has not been sent yet. Names of headers are in lower case. */
export interface ResponseHead {
  readonly status: number;
  /** Returns the names of the headers. */
  names(): readonly string[];
  /** Returns the values of a header; an empty list if the response does not have it. */
  values(name: string): readonly string[];
  /** Replaces the values of a header. An empty list removes the header. */
  set(name: string, values: readonly string[]): void;
}

/** Matches headers that some caches obey instead of `Cache-Control`: `*-Cache-Control` (RFC 9213) and older names. */
const FOR_CACHES = /-cache-control$|^(?:expires|surrogate-control|x-accel-expires|edge-control)$/;
const NOT_MODIFIED = 304;

/**
 * Adds the headers of a new or ended session to the handler's headers. If the handler itself sets or clears the
 * session's cookie, only that cookie is sent; setting it is also reported as a failure.
 */
export function addSessionHeaders(head: ResponseHead, tracked: TrackedRequest): void {
  const headers = tracked.sessionHeaders().filter(([name]) => isMeantFor(head.status, name));
  if (headers.length === 0) return;
  const cookies = head.values("set-cookie");
  const [, own] = headers.find(([name]) => name === "set-cookie") ?? [];
  // Our own cookie may be among the headers, from an earlier failed attempt to send the head.
  const others = cookies.filter((cookie) => cookie !== own);
  const rival = others.find((cookie) => own !== undefined && isSameCookie(cookie, own));
  if (rival !== undefined) {
    if (!isCleared(rival)) tracked.reportFailure(cookieConflict(rival));
    return;
  }
  // Replaces the handler's caching headers. A cache, including the browser's, would otherwise give this session to the
  // next visitor.
  for (const name of head.names().filter((each) => FOR_CACHES.test(each))) head.set(name, []);
  head.set("cache-control", ["no-store"]);
  for (const [name, value] of headers) {
    head.set(name, name === "set-cookie" ? [...others, value] : [value]);
  }
}

function isCleared(cookie: string): boolean {
  return /^[^=]*=(?:;|$)/.test(cookie);
}

function cookieConflict(cookie: string): TypeError {
  const [name = ""] = cookie.split("=", 1);
  return new TypeError(
    `A handler sets the cookie ${name} itself, so its visitors lose their session of Antechamber: give sessions() another cookie.name`,
  );
}

/**
 * Returns whether a response with this status gets the header. A 304 gets only the cookie: caches would add its other
 * headers, and so the session, to the stored response.
 */
function isMeantFor(status: number, name: string): boolean {
  return status !== NOT_MODIFIED || name === "set-cookie";
}
