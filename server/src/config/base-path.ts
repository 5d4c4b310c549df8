/** The dialects: versions of the Session Management API, served below base paths (contract.md#dialects). */
export const dialectNames = ["8.5.0", "8.5.1", "current", "v2"] as const;
export type DialectName = (typeof dialectNames)[number];

/** A base path: a path below which the API is served in a dialect. The root is always served too. */
export interface BasePath {
  /** Begins with "/" and does not end with "/". */
  readonly path: string;
  readonly dialect: DialectName;
}

/** First segments of the server's own paths. A base path that begins with one would hide that path. */
const ownPaths = [
  "sessions",
  "customers",
  "api-keys",
  "audit",
  "configuration",
  "console",
  "health",
  "view-tokens",
  "events",
  "stats",
  "webhooks",
  "forward-auth",
  "oidc",
  "healthz",
  "readyz",
  "metrics",
  ".well-known",
  "openapi.json",
  "docs",
];

/** Parses a base path such as `/gks-server/v1` or `/gks-server/v1=8.5.1`; returns a sentence about a fault. */
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

/** Returns the paths that occur more than once in a list of base paths, even with different dialects. */
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
  return ownPaths.includes(first) ? `${path} hides what the server itself serves at /${first}` : undefined;
}
