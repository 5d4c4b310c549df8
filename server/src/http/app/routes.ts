import type { Reason } from "../../session/errors.ts";
import type { Role } from "../../session/permissions.ts";
import type { Answer, Call } from "../handlers/sessions.ts";
import { textOfTarget } from "../parse/header-text.ts";
import type { Action } from "./rate-limits.ts";

/** Who may use a route: everybody, without a credential, or the roles that are listed. */
export type AllowedRoles = "everybody" | readonly Role[];

/** A row of the route table. */
export interface Route {
  /** `*` stands for every method, and yields to the others of its path. */
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE" | "*";
  /** `:sessionId` or `:customerId` stands for one segment, a final `*` for whatever follows. */
  readonly path: string;
  /** The name that metrics and the log know it by. */
  readonly operation: string;
  readonly who: AllowedRoles;
  /** What a request counts as; `undefined`: nothing, it is never one too many. */
  readonly rateLimitAs: Action | undefined;
  /** Served below every base path too. */
  readonly isUnderBasePath: boolean;
  readonly handle: (call: Call) => Answer;
  /** What the audit trail calls it when it is refused for want of a right. */
  readonly act?: string;
  /** Whether proxies send sub-requests to this route, which carry the headers of the client's own request. */
  readonly isSubRequest?: boolean;
  /** The status of a refusal, where it is not its code's own. */
  readonly refusalStatus?: (reason: Reason) => number;
}

/** A route that serves a path, and what it found in it. */
export interface Match {
  readonly route: Route;
  readonly sessionId: string;
  readonly customerId: string;
  readonly base: string;
}

/** A base path and the routes below it. The root is the base path "". */
export interface Base {
  readonly path: string;
  readonly routes: readonly Route[];
}

/** Finds routes. */
export interface Router {
  /** The route of a request whose path is written the usual way; `undefined`: ask `match`. */
  find(method: string, path: string): Match | undefined;
  /** The routes of `path`, one a method; empty when there is no such path. */
  match(path: string): readonly Match[];
  /** Returns the longest base path above `path`, even if no route serves `path`. */
  baseOf(path: string): string;
}

/**
 * Creates a router over the tables of the base paths. A trailing slash makes no difference, and neither do repeated
 * slashes before `sessions`: clients append paths to a base URL that may end with a slash. Path parameters
 * (`;jsessionid=`) after a session id are ignored. An earlier row takes precedence over a later one.
 */
export function createRouter(bases: readonly Base[]): Router {
  /** Base paths, the longest first. */
  const prefixes = bases
    .toSorted((one, other) => other.path.length - one.path.length)
    .map((base) => ({ base, pattern: prefixOf(base.path) }));

  function matchBelow({ path: base, routes }: Base, path: string): Match[] {
    const found = new Map<string, Match>();
    const bare = path.startsWith("/sessions/") ? path.replaceAll(PATH_PARAMETERS, "") : path;
    for (const route of routes) {
      // In other paths the whole text may be an id of the caller.
      const isOfSession = route.path.startsWith("/sessions/");
      const parameter = matchPath(route.path, isOfSession ? bare : path);
      if (parameter === undefined || found.has(route.method)) continue;
      const isCustomer = route.path.includes(":customerId");
      const ids = {
        sessionId: isCustomer ? "" : parameter,
        customerId: isCustomer ? parameter : "",
      };
      found.set(route.method, { route, ...ids, base });
    }
    return [...found.values()];
  }

  /** Returns the routes of a path that has repeated slashes before `sessions`. */
  function matchMerged(path: string): Match[] {
    for (const { base, pattern } of prefixes) {
      const prefix = pattern.exec(path)?.[0];
      const rest = prefix === undefined ? undefined : path.slice(prefix.length);
      if (rest === undefined || !SESSIONS.test(rest)) continue;
      const matches = matchBelow(base, rest.replace(SESSIONS, "/sessions"));
      if (matches.length > 0) return matches;
    }
    return [];
  }

  const usual = usualPaths(bases);

  return {
    find(method, path) {
      const ofMethod = usual.get(method);
      const whole = ofMethod?.whole.get(path);
      if (whole !== undefined) return whole;
      const start = path.lastIndexOf("/") + 1;
      const found = ofMethod?.before.find(
        ({ prefix }) => prefix.length === start && path.startsWith(prefix),
      );
      const sessionId = path.slice(start);
      if (found === undefined || sessionId === "" || UNUSUAL.test(sessionId)) {
        return usual.get("*")?.whole.get(path);
      }
      return { route: found.route, sessionId, customerId: "", base: found.base };
    },
    match(path) {
      for (const base of bases) {
        if (!path.startsWith(`${base.path}/`)) continue;
        const matches = matchBelow(base, path.slice(base.path.length));
        if (matches.length > 0) return matches;
      }
      return path.includes("//") ? matchMerged(path) : [];
    },
    baseOf: (path) => prefixes.find(({ pattern }) => pattern.test(path))?.base.path ?? "",
  };
}

/** What leads to the routes of a method: a whole path, or what stands before a session id at its end. */
interface UsualPaths {
  readonly whole: Map<string, Match>;
  readonly before: { readonly prefix: string; readonly route: Route; readonly base: string }[];
}

/** Characters that the session id in a usual path does not contain. */
const UNUSUAL = /[%;]/;
/** RFC 3986, section 3.3. */
const PATH_PARAMETERS = /;[^/]*/g;
/** The first segment below a base path, after any number of slashes. */
const SESSIONS = /^\/+sessions(?=\/|$)/;

/** Matches a base path at the beginning of a path; repeated slashes count as one. */
function prefixOf(base: string): RegExp {
  // The dot is the only character of a base path with a special meaning in a pattern.
  return new RegExp(`^${base.replaceAll(".", "\\.").replaceAll("/", "/+")}(?=/|$)`);
}

const AT_THE_END = "/:sessionId";

/** The paths of nearly all requests: looking one up takes less time than comparing it with each row. */
function usualPaths(bases: readonly Base[]): ReadonlyMap<string, UsualPaths> {
  const usual = new Map<string, UsualPaths>();
  for (const { path: base, routes } of bases) {
    for (const route of routes) {
      const ofMethod: UsualPaths = usual.get(route.method) ?? { whole: new Map(), before: [] };
      usual.set(route.method, ofMethod);
      const { whole, before } = ofMethod;
      const path = base + route.path;
      if (path.endsWith(AT_THE_END)) {
        before.push({ prefix: path.slice(0, 1 - AT_THE_END.length), route, base });
      } else if (!/[:*]/.test(path) && !whole.has(path)) {
        whole.set(path, { route, sessionId: "", customerId: "", base });
      }
    }
  }
  return usual;
}

const PARAMETER = /:(?:sessionId|customerId)/;

/** What stands for the parameter in `path` ("" without one); `undefined` when it does not match. */
function matchPath(pattern: string, path: string): string | undefined {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1)) ? "" : undefined;
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  const [before = "", after] = pattern.split(PARAMETER);
  if (after === undefined) return trimmed === pattern ? "" : undefined;
  if (!trimmed.startsWith(before) || !trimmed.endsWith(after)) return undefined;
  const segment = trimmed.slice(before.length, trimmed.length - after.length);
  return segment === "" || segment.includes("/") ? undefined : textOfTarget(segment);
}
