import type { RequestRecord } from "../protocol.ts";
import type { Fetch } from "../transport.ts";

/** Where the id of a session may be in a request. */
export type SessionSource = "query" | "header" | "cookie";

/** What every middleware takes. Times are in milliseconds. */
export interface SessionsOptions {
  /** Where Antechamber is, such as `http://127.0.0.1:8080`; a base path may follow. */
  readonly url: string;
  /** A key of the role `agent` or `administrator`, where Antechamber asks for keys. */
  readonly key?: string;
  /** What the records name as the service that answered, 1 to 256 characters; nothing by default. */
  readonly service?: string;
  /**
   * How long a request waits for its session at most; then it goes on without. 250 by default.
   * `identify` waits up to four times as long.
   */
  readonly deadline?: number;
  /** Whether a visitor without a live session gets a new one; `true` by default. */
  readonly create?: boolean;
  /**
   * Where to look for the id; all three by default. They are looked at in the order query, header,
   * cookie whatever the order here, and the first that leads to a live session wins.
   */
  readonly sources?: readonly SessionSource[];
  /** The cookie that tells a browser its new session; `false` sets none. */
  readonly cookie?: false | CookieOptions;
  /**
   * Whether requests are recorded; `true` by default. A function is given each record before it is
   * sent and answers whether it is, or with the record to send instead.
   */
  readonly record?: boolean | ((record: RequestRecord) => boolean | RequestRecord);
  /**
   * Paths that the middleware leaves alone: no session, no record. A text is a path with all that
   * is below it (`/assets`), an expression is searched for in the path.
   */
  readonly ignore?: readonly (string | RegExp)[];
  /**
   * Is told of everything that went wrong with Antechamber, and how many records were lost by it,
   * mostly none. What it throws is ignored.
   */
  readonly onError?: (error: unknown, lostRecords: number) => void;
  /** What makes the calls to Antechamber; the global `fetch` by default. */
  readonly fetch?: Fetch;
}

/** The attributes of the cookie (RFC 6265, section 4.1.2). It ends with the browser's session. */
export interface CookieOptions {
  /** `sessionId` by default: the name that forward authentication and the browser client know. */
  readonly name?: string;
  /** `/` by default. */
  readonly path?: string;
  /** The host that set it, and no other, by default. */
  readonly domain?: string;
  /** `Lax` by default. */
  readonly sameSite?: "Strict" | "Lax" | "None";
  /** `true` by default: scripts do not see it. */
  readonly httpOnly?: boolean;
  /** By default when the request came over https, also to a proxy that says so. */
  readonly secure?: boolean;
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
const MAX_SERVICE = 256;
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What ends an attribute of a cookie, or the header. */
const COOKIE_DELIMITER = /[;\p{Cc}]/u;

/** The settings that `options` amount to. Throws a `TypeError` for what cannot be meant. */
export function settingsOf(options: SessionsOptions): Settings {
  const {
    service = null,
    deadline = DEADLINE,
    create = true,
    cookie = {},
    record = true,
  } = options;
  if (!URL.canParse(options.url)) throw new TypeError("url is the address of Antechamber");
  if (service !== null && (service === "" || service.length > MAX_SERVICE))
    throw new TypeError(`service has 1 to ${MAX_SERVICE} characters`);
  if (!(deadline > 0 && Number.isFinite(deadline)))
    throw new TypeError("deadline is a time in milliseconds, more than 0");
  if (cookie !== false) checkCookie(cookie);
  return {
    service,
    deadline,
    create,
    sources: new Set(options.sources ?? ["query", "header", "cookie"]),
    cookie: cookie === false ? null : cookie,
    cookieName: (cookie === false ? undefined : cookie.name) ?? "sessionId",
    record: typeof record === "function" ? record : () => record,
    isIgnored: pathMatcher(options.ignore ?? []),
    failed(error, lostRecords) {
      try {
        options.onError?.(error, lostRecords);
      } catch {
        // Whoever listens must not be able to break a request.
      }
    },
  };
}

function checkCookie({ name = "sessionId", path = "/", domain = "" }: CookieOptions): void {
  if (!COOKIE_NAME.test(name)) throw new TypeError("cookie.name is not a name of a cookie");
  if (COOKIE_DELIMITER.test(path + domain))
    throw new TypeError("cookie.path and cookie.domain have no semicolons or control characters");
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
