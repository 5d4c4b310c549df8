import type { Reason } from "../../session/errors.ts";
import type { Role } from "../../session/permissions.ts";
import type { Call, PathParameters, ResponseOrPromise } from "../call.ts";
import { textOfTarget } from "../parse/header-text.ts";
import type { Restate } from "../problems.ts";
import type { Action } from "../rate-limits.ts";

/** A row of the route table. */
export interface Route {
  /** The method. `*` matches each method for which the path has no other row. */
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE" | "*";
  /** The path. `:name` is one segment, which becomes the parameter `name`; a final `*` stands for any rest. */
  readonly path: string;
  /** The name of the operation in metrics and the access log. */
  readonly operation: string;
  /** The roles that may use the route; `everybody` means that no credential is needed. */
  readonly roles: "everybody" | readonly Role[];
  /** The action that rate limits count; `undefined` if the route has no rate limit. */
  readonly rateLimitAs: Action | undefined;
  /** Whether the route also exists below the base paths. */
  readonly isUnderBasePath: boolean;
  readonly handle: (call: Call) => ResponseOrPromise;
  /** Whether view tokens may use the route. Its handler limits them to what they open. */
  readonly isForViews?: true;
  /** The name of the act in the audit trail, also if the act is refused because of the caller's role. */
  readonly act?: string;
  /** True for the sub-requests of proxies to `/forward-auth`, which carry the headers of the client's own request. */
  readonly isSubRequest?: boolean;
  /** Returns the status of a refusal. Without this function, a refusal has the status of its code. */
  readonly refusalStatus?: (reason: Reason) => number;
  /** Adds members to a refusal, instead of those of the dialect. */
  readonly restate?: Restate;
}

/** A route that matches a path, with the parameters found in it. */
export interface Match {
  readonly route: Route;
  readonly sessionId: string;
  readonly parameters: PathParameters;
  readonly base: string;
}

/** A base path and the routes below it. The root is the base path "". */
export interface Base {
  readonly path: string;
  readonly routes: readonly Route[];
}

/**
 * Finds routes in the tables of the base paths. A trailing slash makes no difference, and neither do repeated
 * slashes before `sessions`: clients append paths to a base URL that may end with a slash. Path parameters
 * (`;jsessionid=`) after a session id are ignored. An earlier row takes precedence over a later one.
 */
export class Router {
  readonly #bases: readonly Base[];
  /** Patterns of the base paths, the longest first. */
  readonly #prefixes: readonly { readonly base: Base; readonly pattern: RegExp }[];
  readonly #lookups: ReadonlyMap<string, MethodLookup>;

  constructor(bases: readonly Base[]) {
    this.#bases = bases;
    this.#prefixes = bases
      .toSorted((one, other) => other.path.length - one.path.length)
      .map((base) => ({ base, pattern: prefixPattern(base.path) }));
    this.#lookups = lookupsOf(bases);
  }

  /**
   * Finds the route of a simple path quickly: a path without parameters, or a path whose last segment, or last but one,
   * is a session id without special characters. Nearly all requests have such a path. Returns `undefined` if `match` has
   * to be called.
   */
  find(method: string, path: string): Match | undefined {
    const lookup = this.#lookups.get(method);
    const exact = lookup?.exact.get(path);
    if (exact !== undefined) return exact;
    const start = path.lastIndexOf("/") + 1;
    const found =
      lookup && (findAround(lookup.atEnd, path, start, path.length) ?? findBeforeLastSegment(lookup, path, start - 1));
    return found ?? this.#lookups.get("*")?.exact.get(path);
  }

  /** Returns the routes of a path, at most one for each method; none if the path does not exist. */
  match(path: string): readonly Match[] {
    for (const base of this.#bases) {
      if (!path.startsWith(`${base.path}/`)) continue;
      const matches = matchBelow(base, path.slice(base.path.length));
      if (matches.length > 0) return matches;
    }
    return path.includes("//") ? this.#matchWithoutRepeatedSlashes(path) : [];
  }

  /** Returns the longest base path above `path`, even if no route matches `path`. */
  baseOf(path: string): string {
    return this.#prefixes.find(({ pattern }) => pattern.test(path))?.base.path ?? "";
  }

  #matchWithoutRepeatedSlashes(path: string): readonly Match[] {
    for (const { base, pattern } of this.#prefixes) {
      const prefix = pattern.exec(path)?.[0];
      const rest = prefix === undefined ? undefined : path.slice(prefix.length);
      if (rest === undefined || !SESSIONS.test(rest)) continue;
      const matches = matchBelow(base, rest.replace(SESSIONS, "/sessions"));
      if (matches.length > 0) return matches;
    }
    return [];
  }
}

const noParameters: PathParameters = {};

/** A route whose only parameter is the session id, and its path before the id. */
type SessionRoute = Pick<Match, "route" | "base"> & { readonly prefix: string };

/** The routes of one method that can be found without a comparison with every row. */
interface MethodLookup {
  readonly exact: Map<string, Match>;
  /** The routes that end with the session id. */
  readonly atEnd: SessionRoute[];
  /** The routes with one more segment after the session id, by this segment with its slash. */
  readonly byLastSegment: Map<string, SessionRoute[]>;
}

/** A segment with one of these characters is not exactly a session id: it is percent-encoded or has path parameters. */
const SPECIAL = /[%;]/;
/** Path parameters such as `;jsessionid=1` (RFC 3986, section 3.3). */
const PATH_PARAMETERS = /;[^/]*/g;
/** Matches `/sessions` at the beginning of the path below a base path, with any number of slashes before `sessions`. */
const SESSIONS = /^\/+sessions(?=\/|$)/;

/** Returns a pattern that finds a base path at the beginning of a path. Repeated slashes count as one. */
function prefixPattern(base: string): RegExp {
  // The dot is the only character of a base path that has a special meaning in a regular expression.
  return new RegExp(`^${base.replaceAll(".", "\\.").replaceAll("/", "/+")}(?=/|$)`);
}

/** A path with the session id as its only parameter, and at most one segment after it. */
const AROUND_SESSION_ID = /^([^:*]*\/):sessionId(\/[^/:*]+)?$/;

function lookupsOf(bases: readonly Base[]): ReadonlyMap<string, MethodLookup> {
  const lookups = new Map<string, MethodLookup>();
  for (const { path: base, routes } of bases) {
    for (const route of routes) {
      const lookup: MethodLookup = lookups.get(route.method) ?? {
        exact: new Map(),
        atEnd: [],
        byLastSegment: new Map(),
      };
      lookups.set(route.method, lookup);
      addTo(lookup, route, base);
    }
  }
  return lookups;
}

function addTo({ exact, atEnd, byLastSegment }: MethodLookup, route: Route, base: string): void {
  const path = base + route.path;
  const [, prefix, lastSegment] = AROUND_SESSION_ID.exec(path) ?? [];
  if (prefix !== undefined) {
    const routes = lastSegment === undefined ? atEnd : (byLastSegment.get(lastSegment) ?? []);
    routes.push({ prefix, route, base });
    if (lastSegment !== undefined) byLastSegment.set(lastSegment, routes);
  } else if (!/[:*]/.test(path) && !exact.has(path)) {
    exact.set(path, { route, sessionId: "", parameters: noParameters, base });
  }
}

/** Returns the match of a path whose session id is from `start` to `end`. */
function findAround(routes: readonly SessionRoute[], path: string, start: number, end: number): Match | undefined {
  const found = routes.find(({ prefix }) => prefix.length === start && path.startsWith(prefix));
  if (found === undefined || start >= end) return undefined;
  const sessionId = path.slice(start, end);
  if (SPECIAL.test(sessionId)) return undefined;
  return { route: found.route, sessionId, parameters: noParameters, base: found.base };
}

/** Returns the match of a path whose session id ends at `end`, where the last slash is. */
function findBeforeLastSegment({ byLastSegment }: MethodLookup, path: string, end: number): Match | undefined {
  const routes = byLastSegment.get(path.slice(end));
  return routes && findAround(routes, path, path.lastIndexOf("/", end - 1) + 1, end);
}

function matchBelow({ path: base, routes }: Base, path: string): Match[] {
  const found = new Map<string, Match>();
  const bare = path.startsWith("/sessions/") ? path.replaceAll(PATH_PARAMETERS, "") : path;
  for (const route of routes) {
    // Path parameters are removed only from paths below /sessions. In other paths, a semicolon may belong to an id.
    const isOfSession = route.path.startsWith("/sessions/");
    const matched = matchPath(route.path, isOfSession ? bare : path);
    if (matched === undefined || found.has(route.method)) continue;
    const { sessionId = "", ...parameters } = matched;
    found.set(route.method, { route, sessionId, parameters, base });
  }
  return [...found.values()];
}

/** Returns the decoded parameters of a path; `undefined` if the pattern does not match the path. */
function matchPath(pattern: string, path: string): PathParameters | undefined {
  if (pattern.endsWith("*")) return path.startsWith(pattern.slice(0, -1)) ? {} : undefined;
  const segments = (path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path).split("/");
  const names = pattern.split("/");
  if (names.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [i, segment] of segments.entries()) {
    const name = names[i] as string;
    if (!name.startsWith(":")) {
      if (segment !== name) return undefined;
    } else if (segment === "") return undefined;
    else parameters[name.slice(1)] = textOfTarget(segment);
  }
  return parameters;
}
