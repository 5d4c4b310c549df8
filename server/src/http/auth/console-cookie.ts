import { Refusal } from "../../session/errors.ts";
import { cookieValues } from "../parse/cookies.ts";
import type { CredentialSource } from "./api-key-auth.ts";

/** The header that the console sends with each request. A page of another origin cannot send it without permission. */
const CONSOLE_HEADER = "antechamber-console";

const LOOPBACK_HOST = /^(?:(?:[\w-]{1,63}\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** Reads and writes a cookie of the console. */
export interface ConsoleCookie {
  /** Returns the values of the cookie in a request, in their order; more than one only if somebody has planted another. */
  valuesIn(request: CredentialSource): readonly string[];
  /**
   * Returns `Set-Cookie` for a value. Refuses with `invalid-request` if the browser reached the server over plain http on
   * another machine, where others could read the cookie.
   */
  set(request: CredentialSource, value: string): string;
  /** Returns `Set-Cookie` that removes the cookie. */
  remove(request: CredentialSource): string;
}

export interface ConsoleCookieOptions {
  readonly name: string;
  /** `Strict`: browsers send it only from the console itself. `Lax`: also after a link or redirect from another site. */
  readonly sameSite: "Strict" | "Lax";
  /** Seconds; without it, browsers drop the cookie when they are closed. */
  readonly maxAgeSeconds?: number;
  /** The address of the console for browsers (setting `consoleUrl`); `null` if it is not configured. */
  readonly consoleUrl: string | null;
}

/**
 * Over https the cookie's name begins with `__Host-`: then browsers accept it only from this host itself, and not from a
 * neighbouring subdomain or over http. On this machine over http, browsers would drop that name, so it has none.
 */
export function createConsoleCookie({
  name,
  sameSite,
  maxAgeSeconds,
  consoleUrl,
}: ConsoleCookieOptions): ConsoleCookie {
  const attributes = `; Path=/; HttpOnly; SameSite=${sameSite}`;
  const isHere = (request: CredentialSource) => LOOPBACK_HOST.test(request.header("host") ?? "");
  const nameIn = (request: CredentialSource) => (isHttps(request, consoleUrl) ? `__Host-${name}` : name);
  const field = (request: CredentialSource, value: string, age: string) =>
    `${nameIn(request)}=${value}${attributes}${age}${isHttps(request, consoleUrl) ? "; Secure" : ""}`;

  return {
    valuesIn(request) {
      // Over http, anybody in the network could have set the cookie.
      if (!isHttps(request, consoleUrl) && !isHere(request)) return [];
      return cookieValues(request.header("cookie"), nameIn(request));
    },
    set(request, value) {
      if (!isHttps(request, consoleUrl) && !isHere(request)) throw needsHttps();
      return field(request, value, maxAgeSeconds === undefined ? "" : `; Max-Age=${maxAgeSeconds}`);
    },
    remove: (request) => field(request, "", "; Max-Age=0"),
  };
}

/** Returns whether the browser uses https, which only a proxy in front of the server can know. */
function isHttps(request: CredentialSource, consoleUrl: string | null): boolean {
  if (consoleUrl !== null) return consoleUrl.startsWith("https:");
  const [first = ""] = (request.header("x-forwarded-proto") ?? "").split(",");
  return first.trim().toLowerCase() === "https";
}

function needsHttps(): Refusal {
  const detail =
    "Sign-in needs https, or a host on this machine. If a proxy serves https, let it send X-Forwarded-Proto: https, or configure consoleUrl.";
  return new Refusal({ code: "invalid-request", errors: [{ in: "header", name: "X-Forwarded-Proto", detail }] });
}

/** Returns whether a page of the console sent the request: with its header, and from this origin if the browser says so. */
export function isFromConsole(request: CredentialSource): boolean {
  const site = request.header("sec-fetch-site");
  return request.header(CONSOLE_HEADER) !== null && (site === null || site === "same-origin");
}

/** Refuses a request with `invalid-request` unless a page of the console sent it. */
export function requireConsole(request: CredentialSource): void {
  if (isFromConsole(request)) return;
  const detail = `Send the header ${CONSOLE_HEADER}: 1, from a page of the console.`;
  throw new Refusal({ code: "invalid-request", errors: [{ in: "header", name: CONSOLE_HEADER, detail }] });
}
