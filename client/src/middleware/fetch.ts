import { watchAnswer } from "./answer-end.ts";
import { createExchanges, type Delivery } from "./exchange.ts";
import type { SessionsOptions } from "./options.ts";
import type { RequestSession } from "./request-session.ts";
import { SWITCHING_PROTOCOLS, tellingResponses } from "./tell-response.ts";

export type { Delivery } from "./exchange.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";

/** What a handler is given beside the request. */
export interface SessionContext {
  /** `null` without a session: on ignored paths, and while Antechamber is away. */
  readonly session: RequestSession | null;
}

/**
 * A handler of fetch-style servers; `rest` are the server's further arguments, such as Bun's `Server`. It
 * may return `undefined` if the server requires that, as Bun's does after `server.upgrade(request)`.
 */
export type SessionHandler<Rest extends unknown[], Answer = Response> = (
  request: Request,
  context: SessionContext,
  ...rest: Rest
) => Answer | Promise<Answer>;

/** Wraps handlers. */
export interface WithSession extends Delivery {
  <Rest extends unknown[], Answer extends Response | undefined = Response>(
    handler: SessionHandler<Rest, Answer>,
  ): (request: Request, ...rest: Rest) => Promise<Answer>;
}

/**
 * For servers that call a function with a `Request` (Bun, Deno, `srvx`): what this gives wraps such
 * a function, which gets the session of the request and whose requests are recorded. Without
 * Antechamber a request goes on after the deadline, with `null` for its session. `close()` delivers
 * the last records.
 */
export function sessions(options: SessionsOptions): WithSession {
  const { begin, flush, close, dropped } = createExchanges(options);
  const wrap =
    <Rest extends unknown[], Answer extends Response | undefined>(
      handler: SessionHandler<Rest, Answer>,
    ) =>
    async (request: Request, ...rest: Rest): Promise<Answer> => {
      const exchange = begin(incoming(request));
      if (exchange === null) return await handler(request, { session: null }, ...rest);
      const watch = watchAnswer(request, rest[0], exchange.over);
      const tell = tellingResponses(exchange, rest[0]);
      try {
        const response = await handler(request, { session: await exchange.session }, ...rest);
        if (response) return watch(tell(response)) as Answer;
        // The connection now speaks another protocol.
        exchange.over(SWITCHING_PROTOCOLS, false);
        return response;
      } catch (error) {
        // Some frameworks let handlers throw their response.
        if (error instanceof Response) return await Promise.reject(watch(tell(error)));
        exchange.over(500, request.signal.aborted);
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
