import { withSessionHeaders } from "./fetch-response.ts";
import { assertsIdentity } from "./identity-headers.ts";
import { onResponseEnd } from "./on-response-end.ts";
import type { SessionsOptions } from "./options.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";
import type { CookieToSet } from "./set-cookie.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

export interface SvelteKitOptions extends SessionsOptions {
  /** Name of the member of `event.locals` that holds the session; `session` by default. */
  readonly property?: string | undefined;
}

/** The members of SvelteKit's `RequestEvent` that the handle uses. */
export interface SvelteKitEvent {
  request: Request;
  readonly url: URL;
  readonly cookies: { set(name: string, value: string, options: Omit<CookieToSet, "name" | "value">): void };
  readonly locals: object;
  /** Whether the application requests its own endpoint, by the `fetch` of another event. */
  readonly isSubRequest: boolean;
}

/** The argument of the hook `handle`. */
export interface SvelteKitInput<Event> {
  readonly event: Event;
  readonly resolve: (event: Event) => Response | Promise<Response>;
}

/** The hook `handle` of SvelteKit. */
export interface SvelteKitHandle extends Delivery {
  <Event extends SvelteKitEvent>(input: SvelteKitInput<Event>): Promise<Response>;
}

/**
 * Creates the hook `handle` of a SvelteKit application. It finds the session of each request, sets
 * `event.locals.session`, and records the request when its response has ended. While Antechamber is unavailable,
 * requests continue after the deadline and their session is `null`. `close()` delivers the last records. Throws a
 * `TypeError` if an option is invalid.
 *
 * @example
 * // src/hooks.server.ts
 * export const handle = sessions({ url: "http://127.0.0.1:8080", service: "shop" });
 */
export function sessions(options: SvelteKitOptions): SvelteKitHandle {
  const { track, flush, close, dropped } = createRequestTracker(options, ["property"]);
  const { property = "session" } = options;

  const handle = async <Event extends SvelteKitEvent>({ event, resolve }: SvelteKitInput<Event>): Promise<Response> => {
    const { request, url, cookies } = event;
    const tracked = track(
      {
        method: request.method,
        target: url.href,
        isEncrypted: url.protocol === "https:",
        header: (name) => request.headers.get(name),
      },
      // SvelteKit sends cookies that are set here with requests of `event.fetch` to the application itself.
      { setCookie: ({ name, value, ...attributes }) => cookies.set(name, value, attributes) },
    );
    removeIdentity(event);
    const session = (await tracked?.session) ?? null;
    Object.assign(event.locals, { [property]: session });
    if (tracked === null) return await resolve(event);
    // A visitor's request is recorded once, without those that the application makes to itself.
    if (event.isSubRequest) return withSessionHeaders(await resolve(event), tracked);
    const observe = onResponseEnd(request, undefined, tracked.finish);
    try {
      return observe(withSessionHeaders(await resolve(event), tracked));
    } catch (error) {
      tracked.finish(500, request.signal.aborted);
      throw error;
    }
  };
  return Object.assign(handle, { flush, close, dropped });
}

/** Removes headers that assert an identity. Some platforms do not allow changes of a request's headers. */
function removeIdentity(event: SvelteKitEvent): void {
  const names = [...event.request.headers.keys()].filter(assertsIdentity);
  if (names.length === 0) return;
  const headers = new Headers(event.request.headers);
  for (const name of names) headers.delete(name);
  event.request = new Request(event.request, { headers });
}
