import { createWithSession, type WithSession } from "./fetch-handlers.ts";
import type { SessionsOptions } from "./options.ts";
import { createRequestTracker } from "./request-tracking.ts";

export type { SessionContext, SessionHandler, WithSession } from "./fetch-handlers.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

/**
 * Creates a wrapper for the handlers of a server that calls a function with a `Request` (Bun, Deno, `srvx`). It finds
 * the session of each request, passes the session to the handler, and records the request when its response has ended.
 * While Antechamber is unavailable, requests continue after the deadline and their session is `null`. `close()`
 * delivers the last records. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * const withSession = sessions({ url: "http://127.0.0.1:8080", service: "shop" });
 * Bun.serve({ fetch: withSession((_, { session }) => Response.json({ customer: session?.customerId ?? null })) });
 */
export function sessions(options: SessionsOptions): WithSession {
  return createWithSession(createRequestTracker(options));
}
