import type { Request, RequestHandler } from "express";
import { createExchanges, type Delivery } from "./exchange.ts";
import { beforeHead, whenOver } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession, hasSession, type RequestSession } from "./request-session.ts";
import { tellHead } from "./tell-head.ts";

export type { Delivery } from "./exchange.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export { type RequestSession, sessionOf } from "./request-session.ts";

export interface ExpressOptions extends SessionsOptions {
  /** The property of the request that has the session; `session` by default. */
  readonly property?: string | undefined;
}

/**
 * Express middleware: resolves the session of each request, as `req.session` and for
 * `sessionOf(req)`, and records the request when its answer is over. Without Antechamber a request
 * goes on after the deadline, with `null` for its session. `close()` delivers the last records.
 */
export function sessions(options: ExpressOptions): RequestHandler & Delivery {
  const exchanges = createExchanges(options, ["property"]);
  const { property = "session" } = options;
  const isFree = createConflictCheck(property);

  const handle: RequestHandler = (request, response, next) => {
    if (hasSession(request)) return next();
    if (property in request || !isFree(request)) return next(taken(property));
    const exchange = exchanges.begin(incoming(request));
    if (exchange === null) {
      attach(request, property, null);
      return next();
    }
    whenOver(response, exchange.over);
    beforeHead(response, (head) => tellHead(head, exchange));
    const goOn = async () => {
      attach(request, property, await exchange.session);
      next();
    };
    void goOn();
  };
  const { flush, close, dropped } = exchanges;
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

function attach(request: Request, property: string, session: RequestSession | null): void {
  attachSession(request, session);
  Object.defineProperty(request, property, {
    enumerable: true,
    get: () => session,
    // A middleware after this one, such as express-session while there is no session.
    set() {
      throw taken(property);
    },
  });
}

function taken(property: string): TypeError {
  return new TypeError(
    `req.${property} is needed by another middleware, such as express-session: give sessions() the option property, such as "visitor"`,
  );
}

/** Express's record of the middleware of an application, a router or a route. */
interface Layer {
  readonly handle?: { readonly stack?: readonly Layer[] };
  readonly route?: { readonly stack?: readonly Layer[] };
}
/** In Express 4 `_router`; `router` in Express 5. */
interface Application {
  readonly _router?: Layer["handle"];
  readonly router?: Layer["handle"];
}

/** The properties that express-session and cookie-session set on a request, in addition to `session`. */
const FOREIGN = /\.session(?:Store|Options)\s*=[^=]/;

/**
 * Whether no other middleware of a request's application uses `req.session`. Wherever it is mounted,
 * express-session silently does nothing when the property is already in use.
 */
function createConflictCheck(property: string): (request: Request) => boolean {
  const found = new WeakMap<object, boolean>();
  return (request) => {
    const app = request.app as Application | undefined;
    if (property !== "session" || app === undefined) return true;
    const isFree = found.get(app) ?? !(app["_router"] ?? app.router)?.stack?.some(wantsSession);
    found.set(app, isFree);
    return isFree;
  };
}

function wantsSession({ handle, route }: Layer): boolean {
  const inner = [...(handle?.stack ?? []), ...(route?.stack ?? [])];
  if (inner.length > 0) return inner.some(wantsSession);
  return typeof handle === "function" && FOREIGN.test(Function.prototype.toString.call(handle));
}
