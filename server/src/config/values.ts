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

/** Returns the shortest text from which `parseDuration` returns `milliseconds`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = units[unit] as number;
    // Durations below two days are easier to read in hours.
    if (unit === "d" && milliseconds < 2 * DAY) continue;
    if (milliseconds >= factor && milliseconds % factor === 0) {
      return `${milliseconds / factor}${unit}`;
    }
  }
  return `${milliseconds}ms`;
}

/** Parses a rate such as `600/1m`. Returns `undefined` for any other text, including `off`. */
export function parseRate(text: string): Rate | undefined {
  const [, digits, time = ""] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const period = parseDuration(time);
  if (digits === undefined || period === undefined) return undefined;
  const isPeriod = period >= SECOND && period <= DAY && period % SECOND === 0;
  return isPeriod && Number(digits) > 0 ? { count: Number(digits), period } : undefined;
}

/** Returns whether a server that listens on this host can be reached only from this machine. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/** Returns the fault of a text that is neither `*` nor an origin as browsers send it (RFC 6454, section 6.2). */
export function faultOfOrigin(value: string): string | undefined {
  if (value === "*") return undefined;
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/?#@\s*]+$/i.test(value) || !URL.canParse(value)) {
    return `${value} is not a scheme and a host alone`;
  }
  // Only for http and https is it certain what browsers send as the origin.
  const { protocol, origin } = new URL(value);
  if (!/^https?:$/.test(protocol) || origin === value) return undefined;
  return `browsers send ${value} as ${origin}`;
}

/** Returns whether the text is a host name. A text of digits and dots is not: it is a mistyped address. */
export function isHostName(name: string): boolean {
  if (name.length > 253 || /^[\d.]+$/.test(name)) return false;
  return name.split(".").every((label) => /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

/** Returns why browsers would refuse the text as the domain of a cookie; `undefined` if they accept it. */
export function faultOfCookieDomain(name: string): string | undefined {
  if (name === "") return undefined;
  // Browsers treat a host name whose last label is a number as an IP address (URL standard, "ends in a number").
  if (isIP(name) !== 0 || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name)) {
    return "a cookie's domain cannot be an address: leave it out";
  }
  if (!isHostName(name)) {
    return "it is not a domain name without scheme and port (write names with other letters in their xn-- form)";
  }
  return name.includes(".") ? undefined : "browsers set no cookie for a whole top-level domain";
}

/** Returns why keys must not be fetched from a URL. Over plain HTTP, an attacker could replace the issuer's keys. */
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

/** Returns why a text cannot be the address of the console; `undefined` if it can, or is empty. */
export function faultOfConsoleUrl(value: string): string | undefined {
  const fault = faultOfKeySetUrl(value);
  if (fault !== undefined || value === "") return fault?.replace("keys come", "browsers reach the console");
  const { search, hash } = new URL(value);
  return search !== "" || hash !== "" ? "it has a query or a fragment" : undefined;
}

/** Returns why a text cannot be the address of traces; `undefined` if it can, or is empty. */
export function faultOfTraceUrl(value: string): string | undefined {
  if (value === "") return undefined;
  if (!value.includes("{traceId}")) return "it does not have {traceId} in it";
  const example = value.replaceAll("{traceId}", "0".repeat(32));
  const isWeb = URL.canParse(example) && ["http:", "https:"].includes(new URL(example).protocol);
  return isWeb ? undefined : "it is not an http or https URL";
}

/** Asymmetric algorithms (RFC 7518, RFC 8037): a public key cannot sign. So HS256 and `none` are not allowed. */
const signatures = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** Returns why the algorithm is not allowed for tokens; `undefined` if it is. */
export function faultOfAlgorithm(name: string): string | undefined {
  return signatures.includes(name) ? undefined : `${name} is none of ${signatures.join(", ")}`;
}
