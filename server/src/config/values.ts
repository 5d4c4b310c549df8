import { isIP } from "node:net";
import { z } from "zod";
import { isLoopbackAddress, parseAddress, parseRange } from "../addresses.ts";
import type { Rate } from "../limits/rate.ts";
import { parseBasePath, repeatedPaths } from "./base-path.ts";
import { parseStorePlace } from "./store-place.ts";

/*
 * The kinds of values that settings have. Each is read from text (flags, environment) or from the
 * JSON of the file, and refuses with a sentence where the setting's own `allowed` does not say it.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: MINUTE,
  h: HOUR,
  d: DAY,
};

/** Milliseconds of a text such as `30m`, or `undefined` when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = units[unit];
  if (digits === undefined || factor === undefined) return undefined;
  const milliseconds = Number(digits) * factor;
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** The shortest text that `parseDuration` reads as this many milliseconds. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = units[unit] as number;
    // A day reads better than 24 hours from two of them on.
    if (unit === "d" && milliseconds < 2 * DAY) continue;
    if (milliseconds >= factor && milliseconds % factor === 0) {
      return `${milliseconds / factor}${unit}`;
    }
  }
  return `${milliseconds}ms`;
}

/** A duration of `least` to `most`, both as text. */
export function duration(least: string, most: string): z.ZodType<number> {
  const milliseconds = z.number().min(msOf(least)).max(msOf(most));
  return z
    .string()
    .transform((text) => parseDuration(text.trim()))
    .pipe(milliseconds);
}

function msOf(text: string): number {
  return parseDuration(text) as number;
}

/** The rate that a text such as `600/1m` writes; `undefined` for `off`, or when it writes none. */
export function parseRate(text: string): Rate | undefined {
  const [, digits, time = ""] = /^(\d{1,9})\/(\w+)$/.exec(text) ?? [];
  const period = parseDuration(time);
  if (digits === undefined || period === undefined) return undefined;
  const isPeriod = period >= SECOND && period <= DAY && period % SECOND === 0;
  return isPeriod && Number(digits) > 0 ? { count: Number(digits), period } : undefined;
}

/** A rate, or `off`; `0` is another word for that. */
export const rate: z.ZodType<string> = z
  .union([z.string(), z.literal(0).transform(String)])
  .transform((text) => (text.trim() === "0" ? "off" : text.trim()))
  .refine((text) => text === "off" || parseRate(text) !== undefined);

/** An address or a range of addresses. */
export const addressRange: z.ZodType<string, string> = z
  .string()
  .refine((text) => parseRange(text) !== undefined, {
    error: ({ input }) => `${String(input)} is none, or its address is longer than it says`,
  });

/** A whole number of `least` to `most`. */
export function count(least: number, most: number): z.ZodType<number> {
  const digits = z
    .string()
    .trim()
    .regex(/^\d{1,15}$/)
    .transform(Number);
  return z.union([z.number(), digits]).pipe(z.int().min(least).max(most));
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.string().trim().pipe(z.enum(words));
}

/** One or more of a few words, each once, in the given order. */
export function wordList<const Allowed extends readonly [string, ...string[]]>(allowed: Allowed) {
  return list(z.string())
    .pipe(z.array(z.enum(allowed)))
    .refine((all) => all.length > 0, "none is named");
}

/** The name of a cookie: a token (RFC 6265bis, section 4.1.1). */
export const cookieName: z.ZodType<string> = z
  .string()
  .trim()
  .regex(/^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,100}$/);

/** The domain of a cookie, or "". Browsers ignore a leading dot, so it is removed. */
export const cookieDomain: z.ZodType<string> = z
  .string()
  .trim()
  .transform((name) => name.replace(/^\./, "").toLowerCase())
  .superRefine((name, context) => {
    const fault = name === "" ? undefined : faultOfCookieDomain(name);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  });

function faultOfCookieDomain(name: string): string | undefined {
  // Browsers treat a host whose last part is a number as an address (URL standard, "ends in a number").
  if (isIP(name) !== 0 || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name)) {
    return "a cookie's domain cannot be an address: leave it out";
  }
  if (!isHostName(name)) {
    return "it is not a domain name without scheme and port (write names with other letters in their xn-- form)";
  }
  if (!name.includes(".")) return "browsers set no cookie for a whole top-level domain";
  return undefined;
}

/** The time for which browsers keep a cookie: a duration in whole seconds, as text, or `none`. */
export const cookieMaxAge: z.ZodType<string> = z
  .string()
  .trim()
  .refine((text) => {
    const milliseconds = parseDuration(text) ?? 0;
    const isDuration = milliseconds >= SECOND && milliseconds <= MAX_COOKIE_AGE;
    return text === "none" || (isDuration && milliseconds % SECOND === 0);
  });

/** The longest time for which browsers keep a cookie (RFC 6265bis, section 5.5). */
const MAX_COOKIE_AGE = 400 * DAY;

/** `true` or `false`. */
export const flag: z.ZodType<boolean> = z.union([
  z.boolean(),
  z
    .string()
    .trim()
    .pipe(z.enum(["true", "false"]))
    .transform((text) => text === "true"),
]);

/** A list: a JSON array, a text with commas, or several of them where a flag is repeated. */
export function list(item: z.ZodType<string, string>): z.ZodType<string[]> {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((raw) =>
      (typeof raw === "string" ? [raw] : raw)
        .flatMap((text) => text.split(","))
        .map((text) => text.trim())
        .filter((text) => text !== ""),
    )
    .pipe(z.array(item).refine(hasNoDuplicates, "the same entry stands there twice"));
}

function hasNoDuplicates(entries: readonly string[]): boolean {
  return new Set(entries).size === entries.length;
}

/** Any text but an empty one. */
export const text: z.ZodType<string, string> = z
  .string()
  .trim()
  .min(1)
  .regex(/^\P{Cc}*$/u);

/** What names of keys begin with: braces would decide about the slots of a cluster. */
export const redisPrefix: z.ZodType<string, string> = z
  .string()
  .trim()
  .regex(/^[^{}\p{Cc}]{1,32}$/u);

/** Where a store is (`store-place.ts`). */
export const store: z.ZodType<string, string> = z
  .string()
  .trim()
  .superRefine((value, context) => {
    const place = parseStorePlace(value);
    if (typeof place === "string") context.addIssue({ code: "custom", message: place });
  });

/** An IP address or a host name, without brackets and without a port. */
export const host: z.ZodType<string> = z
  .string()
  .trim()
  .transform((name) => name.replace(/^\[(.*)\]$/, "$1"))
  .refine((name) => isIP(name) !== 0 || isHostName(name));

function isHostName(name: string): boolean {
  // All digits and dots, and yet no address: a mistyped one.
  if (name.length > 253 || /^[\d.]+$/.test(name)) return false;
  return name.split(".").every((label) => /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i.test(label));
}

/** Whether only this machine can reach a server that listens there. */
export function isLoopback(name: string): boolean {
  if (name.toLowerCase() === "localhost" || name === "::1") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}

/** A path to serve the API below, such as `/gks-server/v1`, with a dialect or without (`base-path.ts`). */
const basePath: z.ZodType<string, string> = z.string().superRefine((value, context) => {
  const found = parseBasePath(value);
  if (typeof found === "string") context.addIssue({ code: "custom", message: found });
});

/** Base paths, each once, regardless of its dialect. */
export const basePaths: z.ZodType<string[]> = list(basePath).superRefine((texts, context) => {
  for (const path of repeatedPaths(texts)) {
    context.addIssue({ code: "custom", message: `${path} is given twice; a path has one dialect` });
  }
});

/** An origin exactly as browsers send it (RFC 6454, section 6.2), or `*`. */
export const origin: z.ZodType<string, string> = z.string().superRefine((value, context) => {
  const fault = faultOfOrigin(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

function faultOfOrigin(value: string): string | undefined {
  if (value === "*") return undefined;
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/?#@\s*]+$/i.test(value) || !URL.canParse(value)) {
    return `${value} is not a scheme and a host alone`;
  }
  // Only of the web's own schemes is the origin that a browser sends known for sure.
  const { protocol, origin: sent } = new URL(value);
  if (!/^https?:$/.test(protocol) || sent === value) return undefined;
  return `browsers send ${value} as ${sent}`;
}

/** Text, or nothing. */
export const optionalText: z.ZodType<string> = z
  .string()
  .trim()
  .regex(/^\P{Cc}*$/u);

/** A secret exactly as it is written, blanks at its ends too; or nothing. */
export const secretText: z.ZodType<string> = z.string().regex(/^\P{Cc}*$/u);

/** The algorithms of RFC 7518 and RFC 8037 in which who verifies cannot sign. */
const signatures = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** A signature algorithm; none that a public key could be used to forge (HS256), and not `none`. */
export const signatureAlgorithm: z.ZodType<string, string> = z
  .string()
  .refine((name) => signatures.includes(name), {
    error: ({ input }) => `${String(input)} is none of ${signatures.join(", ")}`,
  });

/** The bytes that the path of a Unix socket has room for (104 on macOS, 108 on Linux). */
const MAX_SOCKET_PATH_BYTES = 100;

/** Whether a Unix socket can have this path. */
export function isSocketPath(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

/** Where a key set is fetched from, or nothing. */
export const keySetUrl: z.ZodType<string> = optionalText.superRefine((value, context) => {
  const fault = value === "" ? undefined : faultOfKeySetUrl(value);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

/** Whoever stands between could put keys of their own in the place of the issuer's. */
function faultOfKeySetUrl(value: string): string | undefined {
  if (!URL.canParse(value)) return "it is no URL";
  const { protocol, hostname, username, password } = new URL(value);
  if (username !== "" || password !== "") return "it has a user or a password in it";
  if (protocol === "https:") return undefined;
  const address = parseAddress(hostname.replace(/^\[(.*)\]$/, "$1"));
  const isHere = hostname === "localhost" || (address !== undefined && isLoopbackAddress(address));
  return protocol === "http:" && isHere ? undefined : "keys come by https, or from this machine";
}

/** A secret in a header: visible ASCII, too long to be guessed; or nothing. */
export const headerSecret: z.ZodType<string> = z
  .string()
  .trim()
  .regex(/^(?:[\x21-\x7e]{32,512})?$/);
