import type { TransportOptions } from "./call.ts";
import type { ClientOptions } from "./client.ts";
import { quietly, type SessionStorage } from "./page.ts";

/** Returns what a value should have been, as in "cookie is true or false"; nothing if it is right. */
type Check = (value: unknown) => string | undefined;

/** The credentials that a header can carry (RFC 9110, section 11.2); empty means none. */
const KEY = /^[\x21-\x7e]*$/;
/** The longest timeout in milliseconds: timers with more fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

const isType =
  (type: string): Check =>
  (value) =>
    typeof value === type ? undefined : `is a ${type}`;

/** The compiler finds a name that is missing here. */
const transportChecks: Record<keyof TransportOptions, Check> = {
  url: faultOfUrl,
  key: (value) =>
    typeof value === "string" && KEY.test(value) ? undefined : "is a text without spaces",
  fetch: isType("function"),
  timeout: (value) =>
    typeof value === "number" && value > 0 && value <= MAX_TIMEOUT
      ? undefined
      : "is a number of milliseconds above 0",
  attempts: (value) =>
    Number.isInteger(value) && Number(value) > 0 ? undefined : "is a whole number above 0",
};

const { attempts: _, ...common } = transportChecks;
const clientChecks: Record<keyof ClientOptions, Check> = {
  ...common,
  storage: (value) =>
    value === false || isStorage(value)
      ? undefined
      : "is false, or has the methods of localStorage",
  cookie: isType("boolean"),
  origins: faultOfOrigins,
  sessionId: isType("string"),
  onError: isType("function"),
};

/** Throws a `TypeError` for invalid options, which says what to write instead. */
export function checkTransportOptions(call: string, options: TransportOptions): void {
  checkOptions(call, options, transportChecks);
}

/** The same for the options of `createClient`. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions("createClient()", options, clientChecks);
}

function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>) {
  const given = typeof options === "object" ? options : {};
  // `url` first: it also catches arguments that are not options at all.
  for (const [name, value] of Object.entries({ url: undefined, ...given })) {
    const check = Object.hasOwn(checks, name) && checks[name];
    if (!check)
      throw new TypeError(`${call} has no option ${name}, only ${Object.keys(checks).join(", ")}`);
    const fault = value === undefined && name !== "url" ? undefined : check(value);
    if (fault)
      throw new TypeError(`${call}: ${name} ${fault}${name === "key" ? "" : shown(value)}`);
  }
}

/** Formats a value for the end of a message, without a password. */
function shown(value: unknown): string {
  return `, not ${(JSON.stringify(value) ?? "undefined").slice(0, 99).replace(/^.*@/, '"@')}`;
}

/** Describes the form of an address; in a page a path of its own origin is one too. */
function faultOfUrl(given: unknown): string | undefined {
  const text = given instanceof URL ? given.href : typeof given === "string" ? given : "";
  const scope = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const page = scope.document?.baseURI ?? scope.location?.href;
  const isPath = page !== undefined && text.startsWith("/");
  // A user, a query or a fragment would be lost or would interfere.
  if ((isPath || /^https?:\/\//i.test(text)) && !/[\s?#@]/.test(text)) {
    if (quietly(() => new URL(text, page))) return undefined;
  }
  const example = /^[\w.-]+(:\d+)?(\/[^?#]*)?$/.test(text) ? text : "127.0.0.1:8080";
  const path = page ? 'or "/path", ' : "";
  return `is an address such as "http://${example}", ${path}without user, query and fragment`;
}

function faultOfOrigins(given: unknown): string | undefined {
  const list: unknown[] = Array.isArray(given) ? given : [given];
  const wrong = list === given ? list.find((each) => originOf(each) !== each) : given;
  if (wrong === undefined) return undefined;
  return `is a list of origins such as ["${originOf(wrong) ?? "https://api.example"}"]`;
}

/** Returns the origin of an address; `undefined` if it has none. */
function originOf(address: unknown): string | undefined {
  const url = quietly(() => new URL(String(address)));
  return url?.host ? url.origin : undefined;
}

function isStorage(value: unknown): boolean {
  const storage = value as Partial<SessionStorage> | null;
  return Boolean(storage?.getItem && storage.setItem && storage.removeItem);
}
