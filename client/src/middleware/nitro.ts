import { assertsIdentity } from "./identity-headers.ts";
import { beforeHead, onNodeResponseEnd, type WritableNodeResponse } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import type { RequestSession } from "./request-session.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";
import { addSessionHeaders } from "./session-headers.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export type { RequestSession } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

export interface NitroOptions extends SessionsOptions {
  /** Name of the member of `event.context` that holds the session; `session` by default. */
  readonly property?: string | undefined;
}

/** The members of Node's request that the plugin uses. */
interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Record<string, string | readonly string[] | undefined>;
  readonly socket?: object | null;
  /** The context of the event that makes this request to the application itself; absent for a visitor's request. */
  readonly __unenv__?: object | undefined;
}

/** The members of Nitro's `H3Event` that the plugin uses. */
export interface NitroEvent {
  readonly node: { readonly req: NodeRequest; readonly res: WritableNodeResponse };
  readonly context: object;
}

/** The members of Nitro's application that the plugin uses. */
export interface NitroApplication {
  readonly hooks: {
    hook(name: "request", listener: (event: NitroEvent) => Promise<void>): unknown;
    hook(name: "close", listener: () => Promise<void>): unknown;
  };
}

/** A plugin of Nitro, which Nuxt uses. */
export interface NitroPlugin extends Delivery {
  (nitro: NitroApplication): void;
}

/**
 * Creates a plugin of Nitro, which is Nuxt's server, on Node. It finds the session of each request, sets
 * `event.context.session`, and records the request when its response has ended. While Antechamber is unavailable,
 * requests continue after the deadline and their session is `null`. Closing the server delivers the last records. Throws
 * a `TypeError` if an option is invalid.
 *
 * @example
 * // server/plugins/antechamber.ts
 * export default defineNitroPlugin(sessions({ url: "http://127.0.0.1:8080", service: "shop" }));
 */
export function sessions(options: NitroOptions): NitroPlugin {
  const tracker = createRequestTracker(options, ["property"]);
  const { property = "session" } = options;
  const { flush, close, dropped } = tracker;

  async function onRequest({ node: { req, res }, context }: NitroEvent): Promise<void> {
    const attach = (session: RequestSession | null) => void Object.assign(context, { [property]: session });
    for (const name of Object.keys(req.headers).filter(assertsIdentity)) delete req.headers[name];
    // A request of the application to itself, such as by `useFetch`, belongs to the visitor's request.
    const outer = req["__unenv__"];
    if (outer && property in outer) return attach(outer[property as keyof typeof outer]);
    const tracked = tracker.track(incoming(req));
    if (tracked === null) return attach(null);
    onNodeResponseEnd(res, tracked.finish);
    beforeHead(res, (head) => addSessionHeaders(head, tracked));
    attach(await tracked.session);
  }

  const plugin = ({ hooks }: NitroApplication): void => {
    hooks.hook("request", onRequest);
    hooks.hook("close", close);
  };
  return Object.assign(plugin, { flush, close, dropped });
}

function incoming({ method = "GET", url = "/", headers, socket }: NodeRequest) {
  return {
    method,
    target: url,
    isEncrypted: Boolean(socket && "encrypted" in socket && socket.encrypted),
    header: (name: string) => headers[name]?.toString(),
  };
}
