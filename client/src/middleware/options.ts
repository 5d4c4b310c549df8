import type { RequestRecord } from "../protocol.ts";
import type { Fetch } from "../transport.ts";
import { checkOptions } from "./check-options.ts";
import { createWarnings } from "./warnings.ts";

/** A part of a request that may contain the session id. */
export type SessionSource = "query" | "header" | "cookie";

/** The options of every middleware. Times are in milliseconds. */
export interface SessionsOptions {
  /** Address of Antechamber, such as `http://127.0.0.1:8080`, including its base path if there is one. */
  readonly url: string | URL;
  /**
   * An API key with the role `service`, or with `agent` to assert fewer ids, if Antechamber requires keys. `undefined`
   * and the empty string mean that there is no key. If Antechamber then refuses requests, `onError` gets the refusal.
   */
  readonly key?: string | undefined;
  /** Name of this service in the records, 1 to 256 characters. By default records have no service name. */
  readonly service?: string | undefined;
  /**
   * Maximum time that a request waits for its session, in milliseconds; then it continues without a session. 250 by
   * default, at most 600,000. `identify`, `update`, `replace` and `end` wait up to four times as long.
   */
  readonly deadline?: number | undefined;
  /** Whether a visitor without a live session gets one; `true` by default. */
  readonly create?: boolean | undefined;
  /**
   * Whether a session gets a new id when `identify` gives it its first customer or agent; `true` by default. Nobody who
   * knew the old id then has access to the person's session (contract.md#rule-9).
   */
  readonly rotate?: boolean | undefined;
  /**
   * Whether the session of a request has its data (contract.md#data), which come with the session in one call; `false` by
   * default. `update` and `replace` work without it too.
   */
  readonly data?: boolean | undefined;
  /**
   * The parts of a request that may contain the session id; header and cookie by default. They are searched in the
   * order query, header, cookie, and the first id of a live session is used. Warning: with `query`, anyone who publishes a
   * link can choose the session of everybody who follows it.
   */
  readonly sources?: readonly SessionSource[] | undefined;
  /** The cookie that gives a browser the id of its new session. With `false` no cookie is set. */
  readonly cookie?: false | CookieOptions | undefined;
  /**
   * Whether requests are recorded; `true` by default. A function is called with each record before the record is sent.
   * It returns whether to send the record, or a different record to send instead.
   */
  readonly record?: boolean | ((record: RequestRecord) => boolean | RequestRecord) | undefined;
  /**
   * Paths whose requests get no session and are not recorded. A string matches that path and all paths below it
   * (`/assets`). A regular expression is searched in the path.
   */
  readonly ignore?: readonly (string | RegExp)[] | undefined;
  /**
   * Called for every failure of a call to Antechamber, with the number of records that were lost (usually 0). Errors
   * that the function throws are ignored. By default, failures are printed with `console.warn`, at most once a minute
   * for each kind of failure.
   */
  readonly onError?: ((error: unknown, lostRecords: number) => void) | undefined;
  /**
   * The function that sends requests to Antechamber. By default the global `fetch`; on Node, connections of this package
   * while they do the same.
   */
  readonly fetch?: Fetch | undefined;
}

/** The attributes of the cookie (RFC 6265bis, section 4.1.2). */
export interface CookieOptions {
  /** Name of the cookie; `sessionId` by default, which forward authentication and the browser client also use. */
  readonly name?: string | undefined;
  /** Path of the cookie; `/` by default. */
  readonly path?: string | undefined;
  /** Domain of the cookie. By default the browser sends the cookie only to the host that set it. */
  readonly domain?: string | undefined;
  /**
   * The attribute `Max-Age`: the time in seconds for which the browser keeps the cookie after it was set, at most
   * 34,560,000 (400 days). By default the browser keeps the cookie until it is closed.
   */
  readonly maxAge?: number | undefined;
  /** The attribute `SameSite`; `Lax` by default. */
  readonly sameSite?: "Strict" | "Lax" | "None" | undefined;
  /** The attribute `HttpOnly`; `true` by default, so that scripts cannot read the cookie. */
  readonly httpOnly?: boolean | undefined;
  /**
   * The attribute `Secure`. By default it is `true` if the request came over https, either to this server or to a proxy
   * that sends `X-Forwarded-Proto`, and if browsers would reject the cookie without it.
   */
  readonly secure?: boolean | undefined;
}

/** The checked options, including defaults. */
export interface Settings {
  readonly service: string | null;
  readonly deadline: number;
  readonly create: boolean;
  readonly rotate: boolean;
  readonly data: boolean;
  readonly sources: ReadonlySet<SessionSource>;
  readonly cookie: CookieOptions | null;
  readonly cookieName: string;
  readonly record: (record: RequestRecord) => boolean | RequestRecord;
  isIgnored(path: string): boolean;
  reportFailure(error: unknown, lostRecords: number): void;
}

const DEFAULT_DEADLINE_MS = 250;

/** Checks the options and adds the defaults. Throws a `TypeError` if an option is invalid. */
export function settingsOf(options: SessionsOptions, ownNames: readonly string[] = []): Settings {
  checkOptions(options, ownNames);
  const { service = null, deadline = DEFAULT_DEADLINE_MS, create = true, rotate = true, data = false } = options;
  const { cookie = {}, record = true } = options;
  const url = String(options.url);
  const listener = options.onError ?? createWarnings({ url, hasKey: Boolean(options.key), deadline });
  return {
    service,
    deadline,
    create,
    rotate,
    data,
    sources: new Set(options.sources ?? ["header", "cookie"]),
    cookie: cookie === false ? null : cookie,
    cookieName: (cookie === false ? undefined : cookie.name) ?? "sessionId",
    record: typeof record === "function" ? record : () => record,
    isIgnored: pathMatcher(options.ignore ?? []),
    reportFailure(error, lostRecords) {
      try {
        listener(error, lostRecords);
      } catch {
        // An error that `onError` throws must not affect the request.
      }
    },
  };
}

function pathMatcher(patterns: readonly (string | RegExp)[]): (path: string) => boolean {
  return (path) =>
    patterns.some((pattern) =>
      typeof pattern === "string"
        ? path === pattern || path.startsWith(pattern.endsWith("/") ? pattern : `${pattern}/`)
        : // `test` is not used, because with the flag `g` its result would depend on the previous call.
          path.search(pattern) !== -1,
    );
}
