import { checkChoice, checkOptionNames, shown } from "./option-names.ts";
import type { CookieOptions, SessionsOptions } from "./options.ts";
import { SECURE_NAME } from "./set-cookie.ts";

/** The options of every middleware. The compiler reports an option that is missing here. */
const optionNames: Record<keyof SessionsOptions, true> = {
  url: true,
  key: true,
  service: true,
  deadline: true,
  create: true,
  rotate: true,
  data: true,
  sources: true,
  cookie: true,
  record: true,
  ignore: true,
  onError: true,
  fetch: true,
};
const cookieNames: Record<keyof CookieOptions, true> = {
  name: true,
  path: true,
  domain: true,
  maxAge: true,
  sameSite: true,
  httpOnly: true,
  secure: true,
};
const sources = ["query", "header", "cookie"];
const sameSites = ["Strict", "Lax", "None"];

const MAX_SERVICE = 256;
/** Maximum deadline in milliseconds. `identify` waits four times as long; a timer above 2^31 ms would fire at once. */
const MAX_DEADLINE = 600_000;
/** The longest time, in seconds, for which browsers keep a cookie (RFC 6265bis, section 5.5): 400 days. */
const MAX_COOKIE_AGE = 34_560_000;
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Characters that would end the attribute of a cookie or the whole header. */
const COOKIE_DELIMITER = /[;\p{Cc}]/u;
/** The characters that a credential in a header may have (RFC 9110, section 11.2). An empty key counts as no key. */
const KEY = /^[\x21-\x7e]*$/;

/** Throws a `TypeError` if an option is invalid. `ownNames` are options that only one framework's middleware has. */
export function checkOptions(options: SessionsOptions, ownNames: readonly string[]): void {
  checkOptionNames("sessions()", options, [...Object.keys(optionNames), ...ownNames]);
  const { key = "", service, deadline, cookie = {}, ignore = [] } = options;
  checkUrl(options.url);
  if (typeof key !== "string" || !KEY.test(key.trim()))
    throw new TypeError("key is an API key as printed by antechamber keys create, a text without spaces");
  if (service !== undefined) checkText("service", service, MAX_SERVICE);
  if (deadline !== undefined && !(deadline > 0 && deadline <= MAX_DEADLINE))
    throw new TypeError(
      `deadline is a time in milliseconds, more than 0 and up to ${MAX_DEADLINE}, not ${shown(deadline)}`,
    );
  checkTypes(options);
  checkSources(options.sources);
  if (cookie !== false) checkCookie(cookie);
  checkIgnored(ignore);
  // Only some frameworks' middleware has the option `property`.
  const { property = "session" } = options as { readonly property?: unknown };
  if (typeof property !== "string" || property === "")
    throw new TypeError(`property is the name of a property of the request, not ${shown(property)}`);
}

function checkUrl(given: unknown): void {
  const text = typeof given === "string" || given instanceof URL ? String(given) : "";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const example = 'such as "http://127.0.0.1:8080"';
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw new TypeError(
      `url is the address of Antechamber with http:// or https://, ${example}, not ${shown(text === "" ? given : text.replace(/^.*@/s, ""))}`,
    );
  if (url.username !== "" || url.password !== "")
    throw new TypeError("url must not contain a user or password: pass the key in the option key");
  if (url.search !== "" || url.hash !== "")
    throw new TypeError(`url must have no query and no fragment: it is an address ${example}`);
}

function checkText(name: string, value: unknown, max: number): void {
  if (typeof value !== "string" || value === "" || value.length > max)
    throw new TypeError(`${name} is a text of 1 to ${max} characters, not ${shown(value)}`);
}

function checkTypes({ create, rotate, data, record, onError, fetch }: SessionsOptions): void {
  for (const [name, value] of Object.entries({ create, rotate, data })) {
    if (value !== undefined && typeof value !== "boolean")
      throw new TypeError(`${name} is true or false, not ${shown(value)}`);
  }
  if (record !== undefined && typeof record !== "boolean" && typeof record !== "function")
    throw new TypeError(`record is true, false or a function, not ${shown(record)}`);
  for (const [name, value] of Object.entries({ onError, fetch })) {
    if (value !== undefined && typeof value !== "function")
      throw new TypeError(`${name} is a function, not ${shown(value)}`);
  }
}

function checkSources(given: unknown): void {
  if (given === undefined) return;
  if (!Array.isArray(given) || given.length === 0)
    throw new TypeError('sources is a list of "header", "cookie" and "query"');
  for (const source of given) checkChoice("sources", source, sources);
}

function checkCookie(cookie: CookieOptions): void {
  checkOptionNames("cookie", cookie, Object.keys(cookieNames));
  const { name = "sessionId", path = "/", domain = "", maxAge = 1, sameSite = "Lax" } = cookie;
  if (!COOKIE_NAME.test(name)) throw new TypeError(`cookie.name is a cookie's name, not ${shown(name)}`);
  if (!path.startsWith("/") || COOKIE_DELIMITER.test(path))
    throw new TypeError(`cookie.path begins with / and has no semicolon, not ${shown(path)}`);
  if (typeof domain !== "string" || /[/:\s]/.test(domain) || COOKIE_DELIMITER.test(domain))
    throw new TypeError(`cookie.domain is a host's name such as "shop.example", not ${shown(domain)}`);
  if (!Number.isInteger(maxAge) || maxAge < 1 || maxAge > MAX_COOKIE_AGE)
    throw new TypeError(
      `cookie.maxAge is a time in whole seconds, from 1 to ${MAX_COOKIE_AGE} (400 days), not ${shown(maxAge)}`,
    );
  checkChoice("cookie.sameSite", sameSite, sameSites);
  for (const attribute of ["httpOnly", "secure"] as const) {
    const value: unknown = cookie[attribute];
    if (value !== undefined && typeof value !== "boolean")
      throw new TypeError(`cookie.${attribute} is true or false, not ${shown(value)}`);
  }
  checkBrowserAccepts({ ...cookie, name, path, domain, sameSite });
}

/** Refuses cookies that browsers drop without an error (RFC 6265bis, sections 4.1.3 and 5.7). */
function checkBrowserAccepts({ name = "", path, domain, sameSite, secure }: CookieOptions): void {
  if (sameSite === "None" && secure === false)
    throw new TypeError('cookie.sameSite "None" needs cookie.secure: browsers refuse it without');
  if (SECURE_NAME.test(name) && secure === false)
    throw new TypeError(`cookie.name ${name} needs cookie.secure: browsers refuse it without`);
  if (/^__Host(?:-Http)?-/i.test(name) && (path !== "/" || domain !== ""))
    throw new TypeError(`cookie.name ${name} allows no cookie.domain, and no cookie.path but "/"`);
}

function checkIgnored(ignore: unknown): void {
  if (!Array.isArray(ignore)) throw new TypeError('ignore is a list, such as ["/assets"]');
  for (const pattern of ignore as unknown[]) {
    if (pattern instanceof RegExp) continue;
    if (typeof pattern !== "string" || !pattern.startsWith("/"))
      throw new TypeError(`ignore has paths that begin with / and regular expressions, not ${shown(pattern)}`);
    if (pattern.includes("*"))
      throw new TypeError(
        `ignore: ${shown(pattern)} must not contain *. A path includes all paths below it; for other patterns use a regular expression`,
      );
  }
}
