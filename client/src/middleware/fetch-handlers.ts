import { SWITCHING_PROTOCOLS, sessionHeaderAdder } from "./fetch-response.ts";
import { onResponseEnd } from "./on-response-end.ts";
import type { RequestSession } from "./request-session.ts";
import type { Delivery, RequestTracker } from "./request-tracking.ts";
import type { IncomingRequest } from "./session-ids.ts";
import type { ResolvedSession } from "./session-resolver.ts";

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
 * Creates the wrapper for handlers. `findPassed` returns the session that another part of the application has found for
 * a request; `undefined` if no part has found one.
 */
export function createWithSession(
  { track, flush, close, dropped }: RequestTracker,
  findPassed?: (request: Request) => Promise<ResolvedSession | undefined>,
): WithSession {
  const wrap =
    <Rest extends unknown[], Result extends Response | undefined>(handler: SessionHandler<Rest, Result>) =>
    async (request: Request, ...rest: Rest): Promise<Result> => {
      const tracked = track(incoming(request), findPassed && { found: await findPassed(request) });
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

/** Returns the parts of a request that the middleware reads. */
export function incoming(request: Request): IncomingRequest {
  return {
    method: request.method,
    target: request.url,
    isEncrypted: request.url.startsWith("https:"),
    header: (name) => request.headers.get(name),
  };
}
