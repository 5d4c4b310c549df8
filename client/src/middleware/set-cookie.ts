import type { CookieOptions } from "./options.ts";

/** Returns the value of a `Set-Cookie` header. A session id needs no escaping. */
export function formatSetCookie(sessionId: string, options: CookieOptions, isSecure: boolean): string {
  const { name = "sessionId", path = "/", domain, sameSite = "Lax", httpOnly = true } = options;
  return [
    `${name}=${sessionId}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    `SameSite=${sameSite}`,
    ...(httpOnly ? ["HttpOnly"] : []),
    ...((options.secure ?? isSecure) ? ["Secure"] : []),
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
