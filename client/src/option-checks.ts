import type { TransportOptions } from "./call.ts";
import { quietly } from "./page.ts";

/** Returns `undefined` for a valid value; otherwise what it must be, such as "is a boolean", for the error message. */
export type Check = (value: unknown) => string | undefined;

/** The characters that a credential in a header may have (RFC 9110, section 11.2). An empty key counts as no key. */
const KEY = /^[\x21-\x7e]*$/;
/** Maximum timeout in milliseconds. A longer timer would fire immediately. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export const isType =
  (type: string): Check =>
  (value) =>
    typeof value === type ? undefined : `is a ${type}`;

/** The checks of the options that everything in this package has which calls Antechamber. */
export const commonChecks = {
  url: faultOfUrl,
  key: (value) => (typeof value === "string" && KEY.test(value) ? undefined : "is a text without spaces"),
  timeout: (value) =>
    typeof value === "number" && value > 0 && value <= MAX_TIMEOUT ? undefined : "is a number of milliseconds above 0",
} satisfies Partial<Record<keyof TransportOptions, Check>>;

/**
 * Throws a `TypeError` if an option is invalid. `call` is the name of the called function, for the message. `checks` has
 * the check of each option, so that the compiler reports an option without a check.
 */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>) {
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
