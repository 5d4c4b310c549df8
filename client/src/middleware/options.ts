import type { RequestRecord } from "../protocol.ts";
import type { Fetch } from "../transport.ts";
import { checkOptions } from "./check-options.ts";
import { createWarnings } from "./warnings.ts";

/** Where the id of a session may be in a request. */
export type SessionSource = "query" | "header" | "cookie";

/** What every middleware takes. Times are in milliseconds. */
export interface SessionsOptions {
  /** Where Antechamber is, such as `http://127.0.0.1:8080`; a base path may follow. */
  readonly url: string | URL;
  /**
   * A key of the role `agent` or `administrator`, if Antechamber requires keys. Undefined and empty
   * mean none: a missing key is reported when Antechamber requires one.
   */
  readonly key?: string | undefined;
  /** What the records name as the service that answered, 1 to 256 characters; nothing by default. */
  readonly service?: string | undefined;
  /**
   * The longest time in ms that a request waits for its session; then it goes on without one. 250 by default,
   * 600,000 at most. `identify` waits up to four times as long.
   */
  readonly deadline?: number | undefined;
  /** Whether a visitor without a live session gets a new one; `true` by default. */
  readonly create?: boolean | undefined;
  /**
   * Where to look for the id; header and cookie by default. They are always read in the order query,
   * header, cookie, and the first id that opens a live session wins. With `query` the author of a
   * link chooses the session of everybody who follows it.
   */
  readonly sources?: readonly SessionSource[] | undefined;
  /** The cookie that tells a browser its new session; `false` sets none. */
  readonly cookie?: false | CookieOptions | undefined;
  /**
   * Whether requests are recorded; `true` by default. A function is given each record before it is
   * sent and answers whether it is, or with the record to send instead.
   */
  readonly record?: boolean | ((record: RequestRecord) => boolean | RequestRecord) | undefined;
  /**
   * Paths that the middleware leaves alone: no session, no record. A text is a path with all that
   * is below it (`/assets`), an expression is searched for in the path.
   */
  readonly ignore?: readonly (string | RegExp)[] | undefined;
  /**
   * Is told of everything that went wrong with Antechamber, and how many records were lost by it,
   * mostly none. Errors that it throws are ignored. By default `console.warn` is called, at most once a minute
   * for each kind of failure.
   */
  readonly onError?: ((error: unknown, lostRecords: number) => void) | undefined;
  /** What makes the calls to Antechamber; the global `fetch` by default. */
  readonly fetch?: Fetch | undefined;
}

/** The attributes of the cookie (RFC 6265, section 4.1.2). It ends with the browser's session. */
export interface CookieOptions {
  /** `sessionId` by default: the name that forward authentication and the browser client know. */
  readonly name?: string | undefined;
  /** `/` by default. */
  readonly path?: string | undefined;
  /** The host that set it, and no other, by default. */
  readonly domain?: string | undefined;
  /** `Lax` by default. */
  readonly sameSite?: "Strict" | "Lax" | "None" | undefined;
  /** `true` by default: scripts do not see it. */
  readonly httpOnly?: boolean | undefined;
  /** By default when the request came over https, also to a proxy that says so. */
  readonly secure?: boolean | undefined;
}

/** The options with their defaults, checked. */
export interface Settings {
  readonly service: string | null;
  readonly deadline: number;
  readonly create: boolean;
  readonly sources: ReadonlySet<SessionSource>;
  readonly cookie: CookieOptions | null;
  readonly cookieName: string;
  readonly record: (record: RequestRecord) => boolean | RequestRecord;
  isIgnored(path: string): boolean;
  failed(error: unknown, lostRecords: number): void;
}

const DEADLINE = 250;

/** The settings that `options` amount to. Throws a `TypeError` for what cannot be meant. */
export function settingsOf(options: SessionsOptions, ownNames: readonly string[] = []): Settings {
  checkOptions(options, ownNames);
  const {
    service = null,
    deadline = DEADLINE,
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
    failed(error, lostRecords) {
      try {
        listener(error, lostRecords);
      } catch {
        // Whoever listens must not be able to break a request.
      }
    },
  };
}

function pathMatcher(patterns: readonly (string | RegExp)[]): (path: string) => boolean {
  return (path) =>
    patterns.some((pattern) =>
      typeof pattern === "string"
        ? path === pattern || path.startsWith(pattern.endsWith("/") ? pattern : `${pattern}/`)
        : // Not `test`, which an expression with the flag g answers by turns.
          path.search(pattern) !== -1,
    );
}
