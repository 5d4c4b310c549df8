import type { Request, RequestHandler } from "express";
import { beforeHead, onNodeResponseEnd } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession, hasSession, type RequestSession, sessionOf } from "./request-session.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";
import { addSessionHeaders } from "./session-headers.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export { type RequestSession, sessionOf } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

export interface ExpressOptions extends SessionsOptions {
  /** Name of the request's property that holds the session; `session` by default. */
  readonly property?: string | undefined;
}

/**
 * Creates Express middleware. It finds the session of each request, sets `req.session`, and makes `sessionOf(req)`
 * return the session. It records the request when its response has ended. While Antechamber is unavailable, requests
 * continue after the deadline and their session is `null`. `close()` delivers the last records. Throws a `TypeError` if
 * an option is invalid.
 *
 * @example
 * app.use(sessions({ url: "http://127.0.0.1:8080", service: "shop" }));
 */
export function sessions(options: ExpressOptions): RequestHandler & Delivery {
  const tracker = createRequestTracker(options, ["property"]);
  const { property = "session" } = options;
  const isFree = createConflictCheck(property);
  // One object for all requests, because new accessors would give each request a class of its own in the engine.
  const member: PropertyDescriptor & ThisType<Request> = {
    enumerable: true,
    get() {
      return sessionOf(this);
    },
    // Another middleware has set the property. express-session, for example, does so if our session is `null`.
    set() {
      throw propertyConflict(property);
    },
  };
  const attach = (request: Request, session: RequestSession | null) => {
    attachSession(request, session);
    Object.defineProperty(request, property, member);
  };

  const handle: RequestHandler = (request, response, next) => {
    if (hasSession(request)) return next();
    if (property in request || !isFree(request)) return next(propertyConflict(property));
    const tracked = tracker.track(incoming(request));
    if (tracked === null) {
      attach(request, null);
      return next();
    }
    onNodeResponseEnd(response, tracked.finish);
    beforeHead(response, (head) => addSessionHeaders(head, tracked));
    const continueRequest = async () => {
      try {
        attach(request, await tracked.session);
      } catch (error) {
        // It must reach the application: an unhandled rejection would end the process.
        return next(error);
      }
      next();
    };
    void continueRequest();
  };
  const { flush, close, dropped } = tracker;
  return Object.assign(handle, { flush, close, dropped });
}

function incoming(request: Request) {
  return {
    method: request.method,
    target: request.originalUrl,
    isEncrypted: request.secure,
    header: (name: string) => request.headers[name]?.toString(),
  };
}

function propertyConflict(property: string): TypeError {
  return new TypeError(
    `another middleware, such as express-session, uses req.${property}: give sessions() the option property, such as "visitor"`,
  );
}

/** Express's internal description of a middleware. An application, a router and a route each have a `stack` of them. */
interface Layer {
  readonly handle?: { readonly stack?: readonly Layer[] };
  readonly route?: { readonly stack?: readonly Layer[] };
}
/** The member with the stack of middleware: `_router` in Express 4, `router` in Express 5. */
interface Application {
  readonly _router?: Layer["handle"];
  readonly router?: Layer["handle"];
}

/**
 * Matches the source of middleware such as express-session and cookie-session, which also sets `sessionStore` or
 * `sessionOptions` on a request.
 */
const SETS_SESSION = /\.session(?:Store|Options)\s*=[^=]/;

/**
 * Returns a function that reports whether no other middleware of the application uses `req.session`. The check is
 * needed because express-session does nothing, without an error, if the property exists.
 */
function createConflictCheck(property: string): (request: Request) => boolean {
  const found = new WeakMap<object, boolean>();
  return (request) => {
    const app = request.app as Application | undefined;
    if (property !== "session" || app === undefined) return true;
    const isFree = found.get(app) ?? !(app["_router"] ?? app.router)?.stack?.some(usesSession);
    found.set(app, isFree);
    return isFree;
  };
}

function usesSession({ handle, route }: Layer): boolean {
  const inner = [...(handle?.stack ?? []), ...(route?.stack ?? [])];
  if (inner.length > 0) return inner.some(usesSession);
  return typeof handle === "function" && SETS_SESSION.test(Function.prototype.toString.call(handle));
}
