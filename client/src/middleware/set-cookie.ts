import type { CookieOptions } from "./options.ts";

/** Matches the names of cookies that browsers reject without `Secure` (RFC 6265bis, section 4.1.3). */
export const SECURE_NAME = /^__(?:Secure|Host|Http|Host-Http)-/i;

/** A cookie to set, in the form that frameworks with a store of cookies expect. */
export interface CookieToSet {
  readonly name: string;
  /** The empty string, with a `maxAge` of 0, makes the browser forget the cookie. */
  readonly value: string;
  readonly path: string;
  readonly domain?: string;
  readonly maxAge?: number;
  readonly sameSite: "strict" | "lax" | "none";
  readonly httpOnly: boolean;
  readonly secure: boolean;
}

/** Returns the cookie with a session id; with `""`, one that makes the browser forget it. */
export function cookieFor(sessionId: string, options: CookieOptions, isSecure: boolean): CookieToSet {
  const { name = "sessionId", path = "/", domain, sameSite = "Lax", httpOnly = true } = options;
  const maxAge = sessionId === "" ? 0 : options.maxAge;
  const needsSecure = sameSite === "None" || SECURE_NAME.test(name);
  return {
    name,
    value: sessionId,
    path,
    ...(domain === undefined ? {} : { domain }),
    ...(maxAge === undefined ? {} : { maxAge }),
    sameSite: sameSite.toLowerCase() as CookieToSet["sameSite"],
    httpOnly,
    secure: options.secure ?? (isSecure || needsSecure),
  };
}

/**
 * Returns the value of a `Set-Cookie` header. A session id needs no escaping. `isSecure`: whether the request came over
 * https.
 */
export function formatSetCookie(sessionId: string, options: CookieOptions, isSecure: boolean): string {
  const { name, path, domain, maxAge, httpOnly, secure } = cookieFor(sessionId, options, isSecure);
  return [
    `${name}=${sessionId}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    ...(maxAge === undefined || sessionId === "" ? [] : [`Max-Age=${maxAge}`]),
    `SameSite=${options.sameSite ?? "Lax"}`,
    ...(httpOnly ? ["HttpOnly"] : []),
    ...(secure ? ["Secure"] : []),
  ].join("; ");
}

/** Returns the value of a `Set-Cookie` header that makes the browser forget the cookie. */
export function formatClearCookie(options: CookieOptions, isSecure: boolean): string {
  const past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
  return `${formatSetCookie("", options, isSecure)}; ${past}`;
}

/** Returns whether a browser replaces one cookie with the other (RFC 6265, section 5.3, step 11). */
export function isSameCookie(one: string, other: string): boolean {
  return cookieIdentity(one) === cookieIdentity(other);
}

function cookieIdentity(cookie: string): string {
  const [pair = "", ...attributes] = cookie.split(";");
  const [name = ""] = pair.split("=", 1);
  const attributeOf = (attribute: string) => {
    const found = attributes.findLast((each) => each.trim().toLowerCase().startsWith(attribute));
    return found?.slice(found.indexOf("=") + 1).trim() ?? "";
  };
  const domain = attributeOf("domain=").toLowerCase().replace(/^\./, "");
  return [name.trim(), attributeOf("path="), domain].join(";");
}
