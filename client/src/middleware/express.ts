import type { Request, RequestHandler, Response } from "express";
import { createExchanges, type Delivery, type Exchange } from "./exchange.ts";
import { whenOver } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession, hasSession, type RequestSession } from "./request-session.ts";

export type { Delivery } from "./exchange.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export { type RequestSession, sessionOf } from "./request-session.ts";

export interface ExpressOptions extends SessionsOptions {
  /** The property of the request that has the session; `session` by default. */
  readonly property?: string;
}

/**
 * Express middleware: resolves the session of each request, as `req.session` and for
 * `sessionOf(req)`, and records the request when its answer is over. Without Antechamber a request
 * goes on after the deadline, with `null` for its session. `close()` delivers the last records.
 */
export function sessions(options: ExpressOptions): RequestHandler & Delivery {
  const { property = "session", ...rest } = options;
  const exchanges = createExchanges(rest);

  const handle: RequestHandler = (request, response, next) => {
    if (hasSession(request)) return next();
    if (Object.hasOwn(request, property)) return next(taken(property));
    const exchange = exchanges.begin(incoming(request), () => tell(response, exchange));
    if (exchange === null) {
      attach(request, property, null);
      return next();
    }
    whenOver(response, exchange.over);
    const goOn = async () => {
      const session = await exchange.session;
      attach(request, property, session);
      tell(response, exchange);
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
  Object.assign(request, { [property]: session });
}

/** Before the handlers, so that they have the last word on the headers. */
function tell(response: Response, exchange: Exchange | null): void {
  const headers = exchange?.headers() ?? [];
  if (response.headersSent || headers.length === 0) return;
  // An answer that hands out a session is for one visitor, also in caches that keep cookies.
  if (!response.hasHeader("cache-control")) response.setHeader("cache-control", "private");
  for (const [name, value] of headers) {
    if (name === "set-cookie") replaceCookie(response, value);
    else response.setHeader(name, value);
  }
}

/** A session that follows another in one answer takes the place of its cookie. */
function replaceCookie(response: Response, cookie: string): void {
  const prefix = cookie.slice(0, cookie.indexOf("=") + 1);
  const others = [response.getHeader("set-cookie") ?? []].flat().map(String);
  response.setHeader("set-cookie", [...others.filter((c) => !c.startsWith(prefix)), cookie]);
}

function taken(property: string): TypeError {
  return new TypeError(
    `req.${property} is another middleware's: give sessions() the option property, such as "visitor"`,
  );
}
