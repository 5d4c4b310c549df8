import type { Context, MiddlewareHandler } from "hono";
import type { SessionData } from "../protocol.ts";
import { sessionHeaderAdder } from "./fetch-response.ts";
import { onResponseEnd } from "./on-response-end.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession, hasSession, type RequestSession } from "./request-session.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

/** Gives `c.get("session")` its type, in `new Hono<{ Variables: SessionVariables }>()`. `Data` is the type of its data. */
export interface SessionVariables<Data extends object = SessionData> {
  /**
   * The session of the request. It is `null` on ignored paths, while Antechamber is unavailable, and if there is no
   * session and none is created.
   */
  session: RequestSession<Data> | null;
}

/**
 * Creates Hono middleware. It finds the session of each request, sets the variable `session`, and records the request
 * when its response has ended. While Antechamber is unavailable, requests continue after the deadline and their session
 * is `null`. `close()` delivers the last records. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * const app = new Hono<{ Variables: SessionVariables }>();
 * app.use(sessions({ url: "http://127.0.0.1:8080", service: "shop" }));
 * app.get("/", (c) => c.json({ customer: c.get("session")?.customerId ?? null }));
 */
export function sessions(options: SessionsOptions): MiddlewareHandler<{ Variables: SessionVariables }> & Delivery {
  const { track, flush, close, dropped } = createRequestTracker(options);
  const handle: MiddlewareHandler<{ Variables: SessionVariables }> = async (c, next) => {
    if (hasSession(c.req.raw)) return next();
    const tracked = track(incoming(c));
    if (tracked === null) {
      c.set("session", null);
      return next();
    }
    const observe = onResponseEnd(c.req.raw, c.env, tracked.finish);
    const addHeaders = sessionHeaderAdder(tracked, c.env);
    const session = await tracked.session;
    attachSession(c.req.raw, session);
    c.set("session", session);
    await next();
    replaceResponse(c, observe(addHeaders(c.res)));
  };
  return Object.assign(handle, { flush, close, dropped });
}

function incoming(c: Context) {
  return {
    method: c.req.method,
    target: c.req.url,
    isEncrypted: c.req.url.startsWith("https:"),
    header: (name: string) => c.req.header(name),
  };
}

/**
 * Replaces the response of a request. First assigns `undefined`: Hono copies the headers of an old response otherwise.
 */
function replaceResponse(c: Context, response: Response): void {
  if (response === c.res) return;
  c.res = undefined;
  c.res = response;
}
