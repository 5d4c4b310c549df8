import { isIP } from "node:net";
import type { Rate } from "../limits/rate.ts";
import { isLoopbackAddress, parseAddress } from "../network/addresses.ts";

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;
const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 60 * 60 * SECOND,
  d: DAY,
};

/** Parses a duration such as `30m` into milliseconds; returns `undefined` for any other text. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = units[unit];
  if (digits === undefined || factor === undefined) return undefined;
  const milliseconds = Number(digits) * factor;
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** Returns the shortest text that `parseDuration` reads as this number of milliseconds. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = units[unit] as number;
    // Below two days, hours read better.
    if (unit === "d" && milliseconds < 2 * DAY) continue;
    if (milliseconds >= factor && milliseconds % factor === 0) {
      return `${milliseconds / factor}${unit}`;
    }
  }
  return `${milliseconds}ms`;
}

/** Parses a rate such as `600/1m`; returns `undefined` for any other text, also for `off`. */
export function parseRate(text: string): Rate | undefined {
  const [, digits, time = ""] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const period = parseDuration(time);
  if (digits === undefined || period === undefined) return undefined;
  const isPeriod = period >= SECOND && period <= DAY && period % SECOND === 0;
  return isPeriod && Number(digits) > 0 ? { count: Number(digits), period } : undefined;
}

/** Returns whether only this machine can reach a server that listens on this host. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/** Returns why the text is neither `*` nor an origin exactly as browsers send it (RFC 6454, section 6.2). */
export function faultOfOrigin(value: string): string | undefined {
  if (value === "*") return undefined;
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/?#@\s*]+$/i.test(value) || !URL.canParse(value)) {
    return `${value} is not a scheme and a host alone`;
  }
  // Only with the web's own schemes is it certain what a browser sends.
  const { protocol, origin } = new URL(value);
  if (!/^https?:$/.test(protocol) || origin === value) return undefined;
  return `browsers send ${value} as ${origin}`;
}

/** Returns whether the text is a host name, and no mistyped address. */
export function isHostName(name: string): boolean {
  if (name.length > 253 || /^[\d.]+$/.test(name)) return false;
  return name.split(".").every((label) => /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

/** Returns why browsers would not accept the text as the domain of a cookie. */
export function faultOfCookieDomain(name: string): string | undefined {
  if (name === "") return undefined;
  // Browsers treat a host whose last part is a number as an address (URL standard, "ends in a number").
  if (isIP(name) !== 0 || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name)) {
    return "a cookie's domain cannot be an address: leave it out";
  }
  if (!isHostName(name)) {
    return "it is not a domain name without scheme and port (write names with other letters in their xn-- form)";
  }
  return name.includes(".") ? undefined : "browsers set no cookie for a whole top-level domain";
}

/**
 * Returns why keys cannot be fetched from the URL. Over plain HTTP anybody on the way could replace the issuer's
 * keys.
 */
export function faultOfKeySetUrl(value: string): string | undefined {
  if (value === "") return undefined;
  if (!URL.canParse(value)) return "it is no URL";
  const { protocol, hostname, username, password } = new URL(value);
  if (username !== "" || password !== "") return "it has a user or a password in it";
  if (protocol === "https:") return undefined;
  const address = parseAddress(hostname.replace(/^\[(.*)\]$/, "$1"));
  const isHere = hostname === "localhost" || (address !== undefined && isLoopbackAddress(address));
  return protocol === "http:" && isHere ? undefined : "keys come by https, or from this machine";
}

/** Signature algorithms (RFC 7518, RFC 8037) whose public key cannot sign; so neither HS256 nor `none`. */
const signatures = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** Returns why tokens cannot be signed with the algorithm. */
export function faultOfAlgorithm(name: string): string | undefined {
  return signatures.includes(name) ? undefined : `${name} is none of ${signatures.join(", ")}`;
}
