import type { CookieOptions } from "./options.ts";

/** Matches the names of cookies that browsers reject without `Secure` (RFC 6265bis, section 4.1.3). */
export const SECURE_NAME = /^__(?:Secure|Host|Http|Host-Http)-/i;

/**
 * Returns the value of a `Set-Cookie` header. A session id needs no escaping. `isSecure`: whether the request came over
 * https.
 */
export function formatSetCookie(sessionId: string, options: CookieOptions, isSecure: boolean): string {
  const { name = "sessionId", path = "/", domain, maxAge, sameSite = "Lax", httpOnly = true } = options;
  const needsSecure = sameSite === "None" || SECURE_NAME.test(name);
  return [
    `${name}=${sessionId}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    ...(maxAge === undefined ? [] : [`Max-Age=${maxAge}`]),
    `SameSite=${sameSite}`,
    ...(httpOnly ? ["HttpOnly"] : []),
    ...((options.secure ?? (isSecure || needsSecure)) ? ["Secure"] : []),
  ].join("; ");
}

/** Returns the value of a `Set-Cookie` header that makes the browser forget the cookie. */
export function formatClearCookie(options: CookieOptions, isSecure: boolean): string {
  const past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
  return `${formatSetCookie("", { ...options, maxAge: undefined }, isSecure)}; ${past}`;
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
