import type { ClientOptions } from "./client.ts";
import { type Check, checkOptions, commonChecks, isType } from "./option-checks.ts";
import { quietly, type WebStorage } from "./page.ts";

const clientChecks: Record<keyof ClientOptions, Check> = {
  ...commonChecks,
  fetch: isType("function"),
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

/** Throws a `TypeError` if an option of `createClient` is invalid. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions("createClient()", options, clientChecks);
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
