import type { Exchange } from "./exchange.ts";
import { isSameCookie } from "./set-cookie.ts";

/** The head of a response that has not been sent. Names are in lower case. */
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
 * Fields that caches between here and the visitor obey instead of `Cache-Control`: targeted fields, whose names
 * end with it (RFC 9213, section 2.1), and older ones.
 */
const FOR_CACHES = /-cache-control$|^(?:expires|surrogate-control|x-accel-expires|edge-control)$/;
const NOT_MODIFIED = 304;

/**
 * Adds the headers that announce a new session to the handler's own headers in a head.
 * If a handler itself sets or clears the same cookie, the handler's is sent; setting it is reported.
 */
export function tellHead(head: ResponseHead, exchange: Exchange): void {
  const headers = exchange.headers().filter(([name]) => isMeantFor(head.status, name));
  if (headers.length === 0) return;
  const cookies = head.values("set-cookie");
  const [, own] = headers.find(([name]) => name === "set-cookie") ?? [];
  // The middleware's own headers may remain from a failed attempt to send the head.
  const others = cookies.filter((cookie) => cookie !== own);
  const rival = others.find((cookie) => own !== undefined && isSameCookie(cookie, own));
  if (rival !== undefined) {
    if (!isCleared(rival)) exchange.failed(takenCookie(rival));
    return;
  }
  // Whatever the handler says: a cache that reused this response, including the visitor's own browser, would
  // give the session to the next visitor.
  for (const name of head.names().filter((each) => FOR_CACHES.test(each))) head.set(name, []);
  head.set("cache-control", ["no-store"]);
  for (const [name, value] of headers) {
    head.set(name, name === "set-cookie" ? [...others, value] : [value]);
  }
}

function isCleared(cookie: string): boolean {
  return /^[^=]*=(?:;|$)/.test(cookie);
}

function takenCookie(cookie: string): TypeError {
  const [name = ""] = cookie.split("=", 1);
  return new TypeError(
    `A handler sets the cookie ${name} itself, so its visitors keep no session of Antechamber: give sessions() another cookie.name`,
  );
}

/**
 * A 304 gets only the cookie: a cache merges its headers into the stored response, which would then have the
 * session. Browsers do not store the cookie there, and the visitor must get it.
 */
function isMeantFor(status: number, name: string): boolean {
  return status !== NOT_MODIFIED || name === "set-cookie";
}
