import type { CookieOptions } from "./options.ts";

/** The value of a `Set-Cookie` header. A session id needs no escaping. */
export function setCookie(sessionId: string, options: CookieOptions, isSecure: boolean): string {
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
