import type { TransportOptions } from "./call.ts";
import type { ClientOptions } from "./client.ts";
import { quietly, type SessionStorage } from "./page.ts";

/** Returns what a value should have been, as in "cookie is true or false"; nothing if it is right. */
type Check = (value: unknown) => string | undefined;

/** What a header can carry as a credential (RFC 9110, section 11.2); empty: none. */
const KEY = /^[\x21-\x7e]*$/;
/** Milliseconds: timers run out at once beyond. */
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

/** Throws a `TypeError` that says what to write instead, for options that cannot be meant. */
export function checkTransportOptions(call: string, options: TransportOptions): void {
  checkOptions(call, options, transportChecks);
}

/** The same for the options of `createClient`. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions("createClient()", options, clientChecks);
}

function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>) {
  const given = typeof options === "object" ? options : {};
  // `url` first: whoever gives something else than options hears of it.
  for (const [name, value] of Object.entries({ url: undefined, ...given })) {
    const check = Object.hasOwn(checks, name) && checks[name];
    if (!check)
      throw new TypeError(`${call} has no option ${name}, only ${Object.keys(checks).join(", ")}`);
    const fault = value === undefined && name !== "url" ? undefined : check(value);
    if (fault)
      throw new TypeError(`${call}: ${name} ${fault}${name === "key" ? "" : shown(value)}`);
  }
}

/** A value at the end of a message, without a password in it. */
function shown(value: unknown): string {
  return `, not ${(JSON.stringify(value) ?? "undefined").slice(0, 99).replace(/\/\/.*@/, "//")}`;
}

/** In a page a path of its own origin is an address too. */
function faultOfUrl(given: unknown): string | undefined {
  const text = given instanceof URL ? given.href : typeof given === "string" ? given : "";
  const scope = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const page = scope.document?.baseURI ?? scope.location?.href;
  const isPath = page !== undefined && text.startsWith("/");
  // A user, a query or a fragment would be lost or in the way.
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

/** The origin of an address; `undefined` for what has none. */
function originOf(address: unknown): string | undefined {
  const url = quietly(() => new URL(String(address)));
  return url?.host ? url.origin : undefined;
}

function isStorage(value: unknown): boolean {
  const storage = value as Partial<SessionStorage> | null;
  return Boolean(storage?.getItem && storage.setItem && storage.removeItem);
}
