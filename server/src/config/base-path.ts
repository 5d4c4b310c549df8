/** The versions of the Session Management API that can be spoken below a base path (contract.md#dialects). */
export const dialectNames = ["8.5.0", "8.5.1", "current", "v2"] as const;
export type DialectName = (typeof dialectNames)[number];

/** A path below which the API is served in addition to the root, and its dialect there. */
export interface BasePath {
  /** Begins with "/" and does not end with one. */
  readonly path: string;
  readonly dialect: DialectName;
}

/** First segments of the server's own paths at the root; a base path below one of these would hide it. */
const ownPaths = [
  "sessions",
  "customers",
  "audit",
  "forward-auth",
  "healthz",
  "readyz",
  "metrics",
  "openapi.json",
  "docs",
];

/** Reads `/gks-server/v1` or `/gks-server/v1=8.5.1`, or returns what is wrong with it. */
export function parseBasePath(text: string): BasePath | string {
  const equals = text.indexOf("=");
  const path = equals === -1 ? text : text.slice(0, equals);
  const name = equals === -1 ? "8.5.0" : text.slice(equals + 1);
  const fault = faultOfPath(path);
  if (fault !== undefined) return fault;
  const dialect = dialectNames.find((known) => known === name);
  if (dialect !== undefined) return { path, dialect };
  const given = name === "" ? "no dialect after =" : `the unknown dialect ${name}`;
  return `${path} has ${given}; the dialects are ${dialectNames.join(", ")}`;
}

/** Returns the paths that occur more than once in a list of base paths, regardless of their dialects. */
export function repeatedPaths(texts: readonly string[]): string[] {
  const paths = texts.map((text) => text.split("=", 1)[0] as string);
  return [...new Set(paths.filter((path, i) => paths.indexOf(path) !== i))];
}

function faultOfPath(path: string): string | undefined {
  if (path === "/") return "the root is always served, in the dialect 8.5.0, so leave it out";
  if (!path.startsWith("/")) return `${path} does not begin with /`;
  if (path.endsWith("/")) return `${path} ends with / (both forms are served without it)`;
  const segments = path.slice(1).split("/");
  if (!segments.every((segment) => /^[A-Za-z\d._~-]+$/.test(segment))) {
    return `${path} has other characters than letters, digits and / . _ ~ -`;
  }
  if (segments.some((segment) => segment === "." || segment === "..")) {
    return `${path} has . or .. as a segment`;
  }
  const [first = ""] = segments;
  return ownPaths.includes(first)
    ? `${path} hides what the server itself serves at /${first}`
    : undefined;
}
