import { SWITCHING_PROTOCOLS, sessionHeaderAdder } from "./fetch-response.ts";
import { onResponseEnd } from "./on-response-end.ts";
import type { SessionsOptions } from "./options.ts";
import type { RequestSession } from "./request-session.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

/** The second argument of a handler. */
export interface SessionContext {
  /**
   * The session of the request. It is `null` on ignored paths, while Antechamber is unavailable, and if there is no
   * session and none is created.
   */
  readonly session: RequestSession | null;
}

/**
 * A handler of a server that calls a function with a `Request`. `rest` are further arguments of the server, such as
 * Bun's `Server`. The handler may return `undefined` if the server allows that; Bun does after
 * `server.upgrade(request)`.
 */
export type SessionHandler<Rest extends unknown[], Result = Response> = (
  request: Request,
  context: SessionContext,
  ...rest: Rest
) => Result | Promise<Result>;

/** Wraps a handler and returns the function that the server calls. */
export interface WithSession extends Delivery {
  <Rest extends unknown[], Result extends Response | undefined = Response>(
    handler: SessionHandler<Rest, Result>,
  ): (request: Request, ...rest: Rest) => Promise<Result>;
}

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
  const { track, flush, close, dropped } = createRequestTracker(options);
  const wrap =
    <Rest extends unknown[], Result extends Response | undefined>(handler: SessionHandler<Rest, Result>) =>
    async (request: Request, ...rest: Rest): Promise<Result> => {
      const tracked = track(incoming(request));
      if (tracked === null) return await handler(request, { session: null }, ...rest);
      const observe = onResponseEnd(request, rest[0], tracked.finish);
      const addHeaders = sessionHeaderAdder(tracked, rest[0]);
      try {
        const response = await handler(request, { session: await tracked.session }, ...rest);
        if (response) return observe(addHeaders(response)) as Result;
        // The handler returned no response, because the connection now uses another protocol.
        tracked.finish(SWITCHING_PROTOCOLS, false);
        return response;
      } catch (error) {
        // Some frameworks allow a handler to throw its response.
        if (error instanceof Response) return await Promise.reject(observe(addHeaders(error)));
        tracked.finish(500, request.signal.aborted);
        throw error;
      }
    };
  return Object.assign(wrap, { flush, close, dropped });
}

function incoming(request: Request) {
  return {
    method: request.method,
    target: request.url,
    isEncrypted: request.url.startsWith("https:"),
    header: (name: string) => request.headers.get(name),
  };
}
