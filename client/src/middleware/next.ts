import { handleOf } from "../session-id.ts";
import { createWithSession, incoming, type WithSession } from "./fetch-handlers.ts";
import { withSessionHeaders } from "./fetch-response.ts";
import { assertsIdentity } from "./identity-headers.ts";
import type { SessionsOptions } from "./options.ts";
import { createSessionPasser, PASSED_SESSION } from "./passed-session.ts";
import type { RequestSession } from "./request-session.ts";
import { createRequestTracker, type Delivery, type TrackedRequest } from "./request-tracking.ts";
import { cookieValues } from "./session-ids.ts";
import type { ResolvedSession } from "./session-resolver.ts";
import type { CookieToSet } from "./set-cookie.ts";

export type { SessionContext, SessionHandler, WithSession } from "./fetch-handlers.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

/** The second argument of a proxy. */
export interface ProxyContext {
  /** The session as it is when the request begins. To change it, use `session()` or `withSession()` behind the proxy. */
  readonly session: Omit<RequestSession, "data" | "identify" | "end" | "update" | "replace"> | null;
  /**
   * The headers of the request for the application behind the proxy: with the session, and without identity headers of
   * the client.
   */
  readonly headers: Headers;
}

/** The members of the result of `headers()` of `next/headers` that `session` uses. */
export interface NextHeaders {
  get(name: string): string | null;
}

/** The members of the result of `cookies()` of `next/headers` that `session` uses. */
export interface NextCookies {
  get(name: string): { readonly value: string } | undefined;
  set(cookie: CookieToSet): unknown;
}

/** The functions by which the parts of a Next.js application use sessions. */
export interface NextSessions extends Delivery {
  /**
   * Wraps the function of `proxy.ts`. The proxy finds or creates the session of each request, announces a new one, and
   * passes it on in a signed header.
   */
  proxy<Incoming extends Request, Rest extends unknown[]>(
    respond: (request: Incoming, context: ProxyContext, ...rest: Rest) => Response | Promise<Response>,
  ): (request: Incoming, ...rest: Rest) => Promise<Response>;
  /**
   * Returns the session in a server component or a server action: the one that the proxy has passed on, or else that
   * of the cookie. Never creates a session. `identify` and `end` set the cookie, so they work only in server actions and
   * route handlers; elsewhere Next.js throws an error.
   */
  session(headers: NextHeaders, cookies: NextCookies): Promise<RequestSession | null>;
  /** Wraps a route handler: passes it the session of the request, and records the request. */
  readonly withSession: WithSession;
}

/**
 * Creates the sessions of a Next.js application (App Router). While Antechamber is unavailable, requests continue after
 * the deadline and their session is `null`. Throws a `TypeError` if an option is invalid.
 *
 * @example
 * // lib/visitors.ts
 * export const visitors = sessions({ url: "http://127.0.0.1:8080", service: "shop" });
 * export const currentSession = async () => visitors.session(await headers(), await cookies());
 * // proxy.ts
 * export const proxy = visitors.proxy((_, { headers }) => NextResponse.next({ request: { headers } }));
 */
export function sessions(options: SessionsOptions): NextSessions {
  const tracker = createRequestTracker(options);
  const passer = createSessionPasser(options.key);
  // The data are not passed on, so the proxy does not retrieve them.
  const announcer = createRequestTracker({ ...options, data: false });
  // A server component cannot announce a new session.
  const finder = createRequestTracker({ ...options, create: false });
  const cookieName = (options.cookie === false ? undefined : options.cookie?.name) ?? "sessionId";
  const { flush, dropped } = tracker;
  const read = async (header: string | null | undefined) => (await passer.read(header)) ?? undefined;

  return {
    proxy:
      (respond) =>
      async (request, ...rest) => {
        const tracked = announcer.track(incoming(request));
        await tracked?.session;
        const found = (await tracked?.resolved) ?? noSession;
        const headers = new Headers(request.headers);
        for (const name of [...headers.keys()].filter(assertsIdentity)) headers.delete(name);
        const { pathname: path } = new URL(request.url);
        headers.set(PASSED_SESSION, await passer.write({ found, method: request.method, path }));
        const response = await respond(request, { session: shownSession(found), headers }, ...rest);
        return tracked === null ? response : withSessionHeaders(response, onlyCookie(tracked));
      },
    async session(headers, cookies) {
      const passed = await read(headers.get(PASSED_SESSION));
      const cookie = cookies.get(cookieName)?.value ?? "";
      const sent = cookieValues(headers.get("cookie"), cookieName);
      // A server action that signs somebody in or out changes the cookie, and then the page is rendered.
      const isChanged = cookie !== passed?.found.info?.sessionId && cookie !== (sent.at(-1) ?? "");
      const request = {
        method: passed?.method ?? "GET",
        target: passed?.path ?? "/",
        isEncrypted: false,
        header: (name: string) => (name === "cookie" ? `${cookieName}=${cookie}` : headers.get(name)),
      };
      const setCookie = (changed: CookieToSet) => void cookies.set(changed);
      const tracked =
        passed === undefined || isChanged
          ? finder.track(request, { setCookie })
          : tracker.track(request, { setCookie, found: passed.found });
      return (await tracked?.session) ?? null;
    },
    withSession: createWithSession(tracker, async ({ headers }) => (await read(headers.get(PASSED_SESSION)))?.found),
    flush,
    dropped,
    async close() {
      await Promise.all([tracker.close(), finder.close()]);
    },
  };
}

/**
 * Leaves the other headers of a new session to the route handler. Next.js prefers headers of the proxy, and the handler
 * may give the session another id.
 */
function onlyCookie(tracked: TrackedRequest): TrackedRequest {
  return { ...tracked, sessionHeaders: () => tracked.sessionHeaders().filter(([name]) => name === "set-cookie") };
}

/** The session of an ignored path. */
const noSession: ResolvedSession = { info: null, isNew: false, isAvailable: true };

function shownSession({ info, isNew }: ResolvedSession): ProxyContext["session"] {
  return info && { ...info, isNew, handle: handleOf(info.sessionId) };
}
