import type { Config } from "../../config/config.ts";

/** The settings of the cookie, which `config/settings/forward-auth.ts` explains. */
export type CookieSettings = Pick<
  Config,
  "cookieName" | "cookieDomain" | "cookieSameSite" | "cookieHttpOnly" | "cookieMaxAge"
>;

/** Creates the function that returns `Set-Cookie` (RFC 6265bis) from a request's `X-Forwarded-Proto`. */
export function createSessionCookies(
  settings: CookieSettings,
): (sessionId: string, forwardedProto: string | null) => string {
  const attributes = attributesOf(settings);
  const secure = `${attributes}; Secure`;
  const plain = needsSecure(settings) ? secure : attributes;
  return (sessionId, forwardedProto) => {
    const isSecure = forwardedProto !== null && ENCRYPTED.test(forwardedProto);
    return `${settings.cookieName}=${sessionId}${isSecure ? secure : plain}`;
  };
}

/** Returns whether browsers reject the cookie without `Secure`, also over HTTP (RFC 6265bis, section 4.1). */
function needsSecure({ cookieName, cookieSameSite }: CookieSettings): boolean {
  return cookieSameSite === "none" || /^__(?:Secure|Host|Http|Host-Http)-/i.test(cookieName);
}

/** Matches an encrypted protocol in the first value, which is from the proxy that the visitor is connected to. */
const ENCRYPTED = /^\s*(?:https|wss)\s*(?:,|$)/i;

const sameSiteNames = { lax: "Lax", strict: "Strict", none: "None" } as const;

function attributesOf(settings: CookieSettings): string {
  const { cookieDomain, cookieMaxAge, cookieSameSite, cookieHttpOnly } = settings;
  return [
    "",
    "Path=/",
    ...(cookieDomain === null ? [] : [`Domain=${cookieDomain}`]),
    ...(cookieMaxAge === null ? [] : [`Max-Age=${cookieMaxAge / 1000}`]),
    `SameSite=${sameSiteNames[cookieSameSite]}`,
    ...(cookieHttpOnly ? ["HttpOnly"] : []),
  ].join("; ");
}
