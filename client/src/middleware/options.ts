import type { RequestRecord } from "../protocol.ts";
import type { Fetch } from "../transport.ts";
import { checkOptions } from "./check-options.ts";
import { createWarnings } from "./warnings.ts";

/** A place of the session id in a request. */
export type SessionSource = "query" | "header" | "cookie";

/** The options of every middleware. Times are in milliseconds. */
export interface SessionsOptions {
  /** The address of Antechamber, such as `http://127.0.0.1:8080`, with its base path if it has one. */
  readonly url: string | URL;
  /**
   * An API key with the role `agent` or `administrator`, if Antechamber requires keys. `undefined` and the empty
   * string mean none; if Antechamber requires one, its refusal is reported to `onError`.
   */
  readonly key?: string | undefined;
  /** The name of this service in the records, 1 to 256 characters; none by default. */
  readonly service?: string | undefined;
  /**
   * The longest time that a request waits for its session; then it continues without one. 250 ms by default,
   * 600,000 at most. `identify` and `end` wait up to four times as long.
   */
  readonly deadline?: number | undefined;
  /** Whether a visitor without a live session gets a new one; `true` by default. */
  readonly create?: boolean | undefined;
  /**
   * The places of the session id; header and cookie by default. The order is always query, header, cookie, and the
   * first id of a live session is used. With `query`, the author of a link can choose the session of everybody
   * who follows it.
   */
  readonly sources?: readonly SessionSource[] | undefined;
  /** The cookie that gives a browser its new session; `false` sets none. */
  readonly cookie?: false | CookieOptions | undefined;
  /**
   * Whether requests are recorded; `true` by default. A function receives each record before it is sent, and returns
   * whether to send it, or the record to send instead.
   */
  readonly record?: boolean | ((record: RequestRecord) => boolean | RequestRecord) | undefined;
  /**
   * Paths without a session and a record. A text is a path with all paths below it (`/assets`); a regular expression
   * matches any part of a path.
   */
  readonly ignore?: readonly (string | RegExp)[] | undefined;
  /**
   * Receives every failure of Antechamber, and the number of records lost by it, which is mostly 0. Errors that it
   * throws are ignored. By default `console.warn` is called, at most once a minute for each kind of failure.
   */
  readonly onError?: ((error: unknown, lostRecords: number) => void) | undefined;
  /** Makes the requests to Antechamber; the global `fetch` by default. */
  readonly fetch?: Fetch | undefined;
}

/** The attributes of the cookie (RFC 6265, section 4.1.2). The browser deletes it when it is closed. */
export interface CookieOptions {
  /** `sessionId` by default, the name that forward authentication and the browser client use. */
  readonly name?: string | undefined;
  /** `/` by default. */
  readonly path?: string | undefined;
  /** By default only the host that set the cookie gets it. */
  readonly domain?: string | undefined;
  /** `Lax` by default. */
  readonly sameSite?: "Strict" | "Lax" | "None" | undefined;
  /** `true` by default: scripts cannot read the cookie. */
  readonly httpOnly?: boolean | undefined;
  /** By default `true` if the request came over https, to this server or to a proxy that sends `X-Forwarded-Proto`. */
  readonly secure?: boolean | undefined;
}

/** The checked options with their defaults. */
export interface Settings {
  readonly service: string | null;
  readonly deadline: number;
  readonly create: boolean;
  readonly sources: ReadonlySet<SessionSource>;
  readonly cookie: CookieOptions | null;
  readonly cookieName: string;
  readonly record: (record: RequestRecord) => boolean | RequestRecord;
  isIgnored(path: string): boolean;
  reportFailure(error: unknown, lostRecords: number): void;
}

const DEFAULT_DEADLINE_MS = 250;

/** Returns the settings for these options. Throws a `TypeError` for invalid ones. */
export function settingsOf(options: SessionsOptions, ownNames: readonly string[] = []): Settings {
  checkOptions(options, ownNames);
  const {
    service = null,
    deadline = DEFAULT_DEADLINE_MS,
    create = true,
    cookie = {},
    record = true,
  } = options;
  const url = String(options.url);
  const listener =
    options.onError ?? createWarnings({ url, hasKey: Boolean(options.key), deadline });
  return {
    service,
    deadline,
    create,
    sources: new Set(options.sources ?? ["header", "cookie"]),
    cookie: cookie === false ? null : cookie,
    cookieName: (cookie === false ? undefined : cookie.name) ?? "sessionId",
    record: typeof record === "function" ? record : () => record,
    isIgnored: pathMatcher(options.ignore ?? []),
    reportFailure(error, lostRecords) {
      try {
        listener(error, lostRecords);
      } catch {
        // An error of the listener must not affect the request.
      }
    },
  };
}

function pathMatcher(patterns: readonly (string | RegExp)[]): (path: string) => boolean {
  return (path) =>
    patterns.some((pattern) =>
      typeof pattern === "string"
        ? path === pattern || path.startsWith(pattern.endsWith("/") ? pattern : `${pattern}/`)
        : // Not `test`: with the flag `g` its result depends on the previous call.
          path.search(pattern) !== -1,
    );
}
