import type { TrackedRequest } from "./request-tracking.ts";
import { isSameCookie } from "./set-cookie.ts";

/** The status and headers of a response that has not been sent. Names are in lower case. */
export interface ResponseHead {
  readonly status: number;
  /** The names of the existing headers. */
  names(): readonly string[];
  /** The values of a header; none if it does not exist. */
  values(name: string): readonly string[];
  /** Replaces the values of the header; an empty list removes it. */
  set(name: string, values: readonly string[]): void;
}

/**
 * The headers that some caches obey instead of `Cache-Control`: targeted ones, whose names end with
 * `-Cache-Control` (RFC 9213, section 2.1), and older ones.
 */
const FOR_CACHES = /-cache-control$|^(?:expires|surrogate-control|x-accel-expires|edge-control)$/;
const NOT_MODIFIED = 304;

/**
 * Adds the headers of a new or ended session to those of the handler. If the handler sets or clears the same cookie
 * itself, only the handler's cookie is sent; setting it is reported as a failure.
 */
export function addSessionHeaders(head: ResponseHead, tracked: TrackedRequest): void {
  const headers = tracked.sessionHeaders().filter(([name]) => isMeantFor(head.status, name));
  if (headers.length === 0) return;
  const cookies = head.values("set-cookie");
  const [, own] = headers.find(([name]) => name === "set-cookie") ?? [];
  // Our own headers may remain from a failed attempt to send the head.
  const others = cookies.filter((cookie) => cookie !== own);
  const rival = others.find((cookie) => own !== undefined && isSameCookie(cookie, own));
  if (rival !== undefined) {
    if (!isCleared(rival)) tracked.reportFailure(cookieConflict(rival));
    return;
  }
  // Overrides the handler: a cache, including the browser's own, would give the session to the next visitor.
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
 * Returns whether a response with this status gets a header. A 304 gets only the cookie, which the visitor needs:
 * a cache adds the other headers of a 304 to the stored response, which would then have the session.
 */
function isMeantFor(status: number, name: string): boolean {
  return status !== NOT_MODIFIED || name === "set-cookie";
}
