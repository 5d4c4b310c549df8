import type { Exchange } from "./exchange.ts";
import { isSameCookie } from "./set-cookie.ts";

/** The head of an answer that has not gone out. Names are in lower case. */
export interface ResponseHead {
  readonly status: number;
  /** The names of the headers that are there. */
  names(): readonly string[];
  /** The values of a header; none when it is not there. */
  values(name: string): readonly string[];
  /** Puts these values in the place of the header's; none remove it. */
  set(name: string, values: readonly string[]): void;
}

/**
 * What caches between here and the visitor obey instead of `Cache-Control`: targeted fields, whose names
 * end with it (RFC 9213, section 2.1), and those that are older.
 */
const FOR_CACHES = /-cache-control$|^(?:expires|surrogate-control|x-accel-expires|edge-control)$/;
const NOT_MODIFIED = 304;

/**
 * Puts into a head what tells the visitor of a new session, beside what the handler has put there.
 * A handler that sets or clears the very same cookie has the last word; setting it is reported.
 */
export function tellHead(head: ResponseHead, exchange: Exchange): void {
  const told = exchange.headers().filter(([name]) => isMeantFor(head.status, name));
  if (told.length === 0) return;
  const cookies = head.values("set-cookie");
  const [, own] = told.find(([name]) => name === "set-cookie") ?? [];
  // Its own may be there from an attempt to send the head that failed.
  const others = cookies.filter((cookie) => cookie !== own);
  const rival = others.find((cookie) => own !== undefined && isSameCookie(cookie, own));
  if (rival !== undefined) {
    if (!isCleared(rival)) exchange.failed(takenCookie(rival));
    return;
  }
  // Whatever the handler says: a cache that gave this answer again, the visitor's own included, would
  // give the session to whoever comes next.
  for (const name of head.names().filter((each) => FOR_CACHES.test(each))) head.set(name, []);
  head.set("cache-control", ["no-store"]);
  for (const [name, value] of told) {
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
 * The headers of a 304 become those of the response that a cache has stored, which would then have the
 * session. A cookie is not stored by browsers, and a visitor must get theirs.
 */
function isMeantFor(status: number, name: string): boolean {
  return status !== NOT_MODIFIED || name === "set-cookie";
}
