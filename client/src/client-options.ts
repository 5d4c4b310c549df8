import type { TransportOptions } from "./call.ts";
import type { ClientOptions } from "./client.ts";
import { quietly, type WebStorage } from "./page.ts";

/** Returns `undefined` for a valid value; otherwise what it must be, such as "is a boolean", for the error message. */
type Check = (value: unknown) => string | undefined;

/** The characters that a credential in a header may have (RFC 9110, section 11.2). An empty key counts as no key. */
const KEY = /^[\x21-\x7e]*$/;
/** Maximum timeout in milliseconds. A longer timer would fire immediately. */
const MAX_TIMEOUT = 2 ** 31 - 1;

const isType =
  (type: string): Check =>
  (value) =>
    typeof value === type ? undefined : `is a ${type}`;

/** The check of each option. The compiler reports an option without a check. */
const transportChecks: Record<keyof TransportOptions, Check> = {
  url: faultOfUrl,
  key: (value) => (typeof value === "string" && KEY.test(value) ? undefined : "is a text without spaces"),
  fetch: isType("function"),
  timeout: (value) =>
    typeof value === "number" && value > 0 && value <= MAX_TIMEOUT ? undefined : "is a number of milliseconds above 0",
  attempts: (value) => (Number.isInteger(value) && Number(value) > 0 ? undefined : "is a whole number above 0"),
};

const { attempts: _, ...common } = transportChecks;
const { fetch: __, ...storeChecks } = common;
const clientChecks: Record<keyof ClientOptions, Check> = {
  ...common,
  storage: (value) =>
    value === false || isStorage(value) ? undefined : "is false, or has the methods of localStorage",
  cookie: (value) =>
    typeof value === "boolean" || isMaxAge((value as { maxAge?: unknown } | null)?.maxAge)
      ? undefined
      : "is a boolean, or { maxAge } with whole seconds up to 34560000",
  rotate: isType("boolean"),
  origins: faultOfOrigins,
  sessionId: isType("string"),
  onError: isType("function"),
};

/** Throws a `TypeError` if an option is invalid. `call` is the name of the called function, for the message. */
export function checkTransportOptions(call: string, options: TransportOptions): void {
  checkOptions(call, options, transportChecks);
}

/** Throws a `TypeError` if an option of a session store is invalid. `call` is the name of the called function. */
export function checkStoreOptions(call: string, options: unknown): void {
  checkOptions(call, options, storeChecks);
}

/** Throws a `TypeError` if an option of `createClient` is invalid. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions("createClient()", options, clientChecks);
}

function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>) {
  const given = typeof options === "object" ? options : {};
  // `url` is checked first, because its check also reports an argument that is not an object.
  for (const [name, value] of Object.entries({ url: undefined, ...given })) {
    const check = Object.hasOwn(checks, name) && checks[name];
    if (!check) throw new TypeError(`${call} has no option ${name}${suggestion(name, Object.keys(checks))}`);
    const fault = value === undefined && name !== "url" ? undefined : check(value);
    if (fault) throw new TypeError(`${call}: ${name} ${fault}${name === "key" ? "" : shown(value)}`);
  }
}

/** Returns the end of the error for an unknown name: a similar name if there is one, and all names. */
function suggestion(name: string, known: readonly string[]): string {
  const nearest = known.find((each) => isSimilar(name.toLowerCase(), each.toLowerCase()));
  return `${nearest ? ` (did you mean ${nearest}?)` : ""}, only ${known.join(", ")}`;
}

/** Returns whether two names are similar: at least half of the pairs of adjacent letters of one are in the other. */
function isSimilar(one: string, other: string): boolean {
  const pairs = [...one].slice(1).map((letter, at) => one[at] + letter);
  return 2 * pairs.filter((pair) => other.includes(pair)).length >= pairs.length;
}

/** Formats a value for the end of an error message. If it is an address, its password is left out. */
function shown(value: unknown): string {
  return `, not ${(JSON.stringify(value) ?? "undefined").slice(0, 99).replace(/^.*@/, '"@')}`;
}

/** Checks the address of the service. In a web page, a path on the page's own origin is valid too. */
function faultOfUrl(given: unknown): string | undefined {
  const text = typeof given === "string" || given instanceof URL ? String(given) : "";
  const scope = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  const page = scope.document?.baseURI ?? scope.location?.href;
  const isPath = page !== undefined && text.startsWith("/");
  // The address must not have a query or a fragment, because paths are appended to it, nor a user, because `fetch`
  // refuses that.
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

/** Returns the origin of an address; `undefined` if it is not an address with an origin. */
function originOf(address: unknown): string | undefined {
  const url = quietly(() => new URL(String(address)));
  return url?.host ? url.origin : undefined;
}

/** Returns whether browsers accept the value as `Max-Age` (RFC 6265bis, section 5.5: at most 400 days). */
function isMaxAge(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 34_560_000;
}

function isStorage(value: unknown): boolean {
  const storage = value as Partial<WebStorage> | null;
  return Boolean(storage?.getItem && storage.setItem && storage.removeItem);
}
