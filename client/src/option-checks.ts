import type { TransportOptions } from "./call.ts";
import { quietly } from "./page.ts";

/** The check of an option: whether a value is valid, and what the value must be, for the error message. */
export type Check = readonly [isValid: (value: unknown) => unknown, rule: string];

/** The characters that a credential in a header may have (RFC 9110, section 11.2). An empty key counts as no key. */
const KEY = /^[\x21-\x7e]*$/;
/**
 * An address, or in a web page a path on its origin. There is no query or fragment, because paths are appended, nor a
 * user, because `fetch` refuses that.
 */
const ADDRESS = /^(https?:\/)?\/[^\s?#@]*$/i;
/** Maximum timeout in milliseconds. A longer timer would fire immediately. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export const isType = (type: string): Check => [(value) => typeof value === type, `a ${type}`];

/** The checks of the options that everything in this package has which calls Antechamber. */
export const commonChecks = {
  url: [
    isAddress,
    "an address that begins with http:// or https:// (in a page also /), without user, query and fragment",
  ],
  key: [(value) => typeof value === "string" && KEY.test(value), "a text without spaces"],
  timeout: [
    (value) => typeof value === "number" && value > 0 && value <= MAX_TIMEOUT,
    "a number of milliseconds above 0",
  ],
} satisfies Partial<Record<keyof TransportOptions, Check>>;

/**
 * Throws a `TypeError` if an option is invalid. `call` is the name of the called function, for the message. `checks` has
 * the check of each option, so that the compiler reports an option without a check.
 */
export function checkOptions(call: string, options: unknown, checks: Readonly<Record<string, Check>>) {
  const given = Object(options) as Readonly<Record<string, unknown>>;
  for (const [name, [isValid, rule]] of Object.entries(checks)) {
    const value = given[name];
    if ((value === undefined && name !== "url") || isValid(value)) continue;
    throw new TypeError(`${call}: ${name} is ${rule}${name === "key" ? "" : shown(value)}`);
  }
  const known = Object.keys(checks);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown) throw new TypeError(`${call} has no option ${unknown}${suggestion(unknown, known)}`);
}

/** Returns the end of the error for an unknown name: a name that has all of its letters if there is one, and all names. */
function suggestion(name: string, known: readonly string[]): string {
  const letters = [...name.toLowerCase()];
  const similar = known.find((each) => letters.every((letter) => each.toLowerCase().includes(letter)));
  return `${similar ? ` (did you mean ${similar}?)` : ""}, only ${known.join(", ")}`;
}

/** Formats a value for the end of an error message. If it is an address, its password is left out. */
function shown(value: unknown): string {
  return `, not ${(JSON.stringify(value) ?? "undefined").slice(0, 99).replace(/^.*@/, '"@')}`;
}

function isAddress(value: unknown): boolean {
  const text = String(value);
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  // Without a page, `URL` throws for a path.
  return ADDRESS.test(text) && quietly(() => new URL(text, document?.baseURI ?? location?.href)) !== undefined;
}
