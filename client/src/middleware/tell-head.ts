import type { Exchange } from "./exchange.ts";
import { isSameCookie } from "./set-cookie.ts";

/** The head of an answer that has not gone out. Names are in lower case. */
export interface ResponseHead {
  /** The values of a header; none when it is not there. */
  values(name: string): readonly string[];
  /** Puts these values in the place of the header's. */
  set(name: string, values: readonly string[]): void;
}

/**
 * Puts into a head what tells the visitor of a new session, beside what the handler has put there.
 * A handler that sets or clears the very same cookie has the last word; setting it is reported.
 */
export function tellHead(head: ResponseHead, exchange: Exchange): void {
  const told = exchange.headers();
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
  // An answer that hands out a session is for one visitor, also in caches that keep cookies.
  if (head.values("cache-control").length === 0) head.set("cache-control", ["private"]);
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
