import type { RequestHandler } from "express";
import type { SessionOptions } from "express-session";
import { AntechamberStore } from "./express-store.ts";
import { RequestIds } from "./request-ids.ts";
import { createStoreParts, type StoreOptions } from "./store-options.ts";

export type { StoreOptions } from "./store-options.ts";

/** The options of express-session, except those that `antechamberSession` sets. */
export type ExpressSessionOptions = Omit<SessionOptions, "store" | "genid">;

/** Creates the middleware of express-session. Throws a `TypeError` for the options `store` and `genid`. */
export type CreateSession = (options: ExpressSessionOptions) => RequestHandler;

/**
 * Returns express-session's function `session` with Antechamber as its store. `req.session` then has the data of the
 * session of Antechamber with the id `req.sessionID`. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * const session = antechamberSession(expressSession, { url: "http://127.0.0.1:8080" });
 * app.use(session({ secret: process.env.SESSION_SECRET, resave: false, saveUninitialized: false }));
 */
export function antechamberSession(
  expressSession: (options: SessionOptions) => RequestHandler,
  options: StoreOptions,
): CreateSession {
  const name = "antechamberSession()";
  if (typeof expressSession !== "function" || "fastifySession" in expressSession)
    throw new TypeError(`the first argument of ${name} is the function that express-session exports`);
  const parts = createStoreParts(name, options);
  return (given) => {
    if (typeof given !== "object" || given === null)
      throw new TypeError("session() needs the options of express-session, such as { secret, resave: false }");
    for (const own of ["store", "genid"]) {
      if (Object.hasOwn(given, own)) throw new TypeError(`remove the option ${own}: ${name} sets it`);
    }
    const requestIds = new RequestIds(parts.ids);
    const store = new AntechamberStore(parts, requestIds);
    const handle = expressSession({ ...given, store, genid: (request) => requestIds.take(request) });
    // express-session asks for the id of a new session without waiting. So each request gets one beforehand.
    return async (request, response, next) => {
      store.addResponse(request, response);
      // express-session asks for the id of a new session without waiting. So each request gets one beforehand.
      requestIds.reserve(request, parts.ids.take() ?? (await parts.ids.wait()));
      try {
        handle(request, response, (error?: unknown) => {
          requestIds.free(request);
          next(error);
        });
      } catch (error) {
        next(error);
      }
    };
  };
}
