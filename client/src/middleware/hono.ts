import type { Context, MiddlewareHandler } from "hono";
import { watchAnswer } from "./answer-end.ts";
import { createExchanges, type Delivery } from "./exchange.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession, hasSession, type RequestSession } from "./request-session.ts";
import { tellingResponses } from "./tell-response.ts";

export type { Delivery } from "./exchange.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";

/** What `c.get("session")` gives: `new Hono<{ Variables: SessionVariables }>()`. */
export interface SessionVariables {
  /** `null` without a session: on ignored paths, and while Antechamber is away. */
  session: RequestSession | null;
}

/**
 * Hono middleware: resolves the session of each request, as the variable `session`, and records the
 * request when its answer is over. Without Antechamber a request goes on after the deadline, with
 * `null` for its session. `close()` delivers the last records.
 */
export function sessions(
  options: SessionsOptions,
): MiddlewareHandler<{ Variables: SessionVariables }> & Delivery {
  const { begin, flush, close, dropped } = createExchanges(options);
  const handle: MiddlewareHandler<{ Variables: SessionVariables }> = async (c, next) => {
    if (hasSession(c.req.raw)) return next();
    const exchange = begin(incoming(c));
    if (exchange === null) {
      c.set("session", null);
      return next();
    }
    const watch = watchAnswer(c.req.raw, c.env, exchange.over);
    const tell = tellingResponses(exchange, c.env);
    const session = await exchange.session;
    attachSession(c.req.raw, session);
    c.set("session", session);
    await next();
    replaceResponse(c, watch(tell(c.res)));
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

/** Hono would copy the headers of the old response, and all of its cookies, over the new one's. */
function replaceResponse(c: Context, response: Response): void {
  if (response === c.res) return;
  c.res = undefined;
  c.res = response;
}
