import { isObject, type JsonObject } from "./data-changes.ts";

/** The attributes of a session's cookie in express-session and @fastify/session, without methods. */
const names = ["originalMaxAge", "secure", "httpOnly", "domain", "path", "sameSite", "partitioned", "priority"];

/**
 * Returns the attributes of a session's cookie that have a value. `originalMaxAge` is in milliseconds and missing if the
 * cookie has no end. It is rounded up to seconds, because both frameworks compute it anew with each request. The time of the
 * cookie's end is not among them: both frameworks set it anew with each response.
 */
export function attributesOf(cookie: unknown): JsonObject {
  if (typeof cookie !== "object" || cookie === null) return {};
  const given = cookie as { toJSON?: () => Record<string, unknown> } & Record<string, unknown>;
  const all = typeof given.toJSON === "function" ? given.toJSON() : given;
  const found: [name: string, value: string | number | boolean][] = [];
  for (const name of names) {
    const value = Object.hasOwn(all, name) ? all[name] : undefined;
    if (typeof value === "number") found.push([name, Math.ceil(value / 1000) * 1000]);
    else if (typeof value === "string" || typeof value === "boolean") found.push([name, value]);
  }
  return Object.fromEntries(found);
}

/** Returns the cookie of a session for a framework that restores the session. `stored`: its attributes in the data. */
export function cookieFrom(stored: unknown): Record<string, unknown> & { originalMaxAge: number | null } {
  const attributes = isObject(stored) ? attributesOf(stored) : {};
  const { originalMaxAge } = attributes;
  const maxAge = typeof originalMaxAge === "number" ? originalMaxAge : null;
  const expires = maxAge === null ? null : new Date(Date.now() + maxAge);
  return { path: "/", httpOnly: true, ...attributes, expires, originalMaxAge: maxAge };
}
