import type { ClientOptions } from "./client.ts";
import { type Check, checkOptions, commonChecks, isType } from "./option-checks.ts";
import { quietly, type WebStorage } from "./page.ts";

const clientChecks: Record<keyof ClientOptions, Check> = {
  ...commonChecks,
  fetch: isType("function"),
  storage: [(value) => value === false || isStorage(value), "false, or has the methods of localStorage"],
  cookie: [
    (value) => typeof value === "boolean" || isMaxAge((value as { maxAge?: number } | null)?.maxAge),
    "a boolean, or { maxAge } with whole seconds up to 34560000",
  ],
  rotate: isType("boolean"),
  origins: [
    (value) => Array.isArray(value) && value.every(isOrigin),
    'a list of origins such as ["https://api.example"], without a path',
  ],
  sessionId: isType("string"),
  onError: isType("function"),
};

/** Throws a `TypeError` if an option of `createClient` is invalid. */
export function checkClientOptions(options: ClientOptions): void {
  checkOptions("createClient()", options, clientChecks);
}

function isOrigin(value: unknown): boolean {
  return quietly(() => new URL(String(value)).origin === value) ?? false;
}

/** Returns whether browsers accept the value as `Max-Age` (RFC 6265bis, section 5.5: at most 400 days). */
function isMaxAge(value: number | undefined = 0): boolean {
  return Number.isInteger(value) && value > 0 && value <= 34_560_000;
}

function isStorage(value: unknown): boolean {
  const storage = value as Partial<WebStorage> | null;
  return Boolean(storage?.getItem && storage.setItem && storage.removeItem);
}
