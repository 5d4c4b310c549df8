import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { beforeHead, onNodeResponseEnd } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession } from "./request-session.ts";
import { createRequestTracker, type Delivery } from "./request-tracking.ts";
import { addSessionHeaders } from "./session-headers.ts";

export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export { type RequestSession, sessionOf } from "./request-session.ts";
export type { Delivery } from "./request-tracking.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The delivery of the records of `sessions`. Closing the instance delivers the last records. */
    readonly sessions: Delivery;
  }
}

export interface FastifyOptions extends SessionsOptions {
  /** Name of the request's property that holds the session; `session` by default. */
  readonly property?: string | undefined;
}

/**
 * A Fastify plugin. It finds the session of each request of the instance on which it is registered, sets
 * `request.session`, and makes `sessionOf(request)` return the session. It records the request when its response has
 * ended. While Antechamber is unavailable, requests continue after the deadline and their session is `null`. Closing
 * the instance delivers the last records.
 *
 * @example
 * await app.register(sessions, { url: "http://127.0.0.1:8080", service: "shop" });
 */
export const sessions: FastifyPluginAsync<FastifyOptions> = async (instance, options) => {
  const tracker = createRequestTracker(options, ["property", ...registerOptions]);
  const { property = "session" } = options;

  instance.decorate("sessions", tracker);
  instance.decorateRequest(property, null);
  instance.addHook("onRequest", async (request, reply) => {
    const tracked = tracker.track(incoming(request));
    if (tracked === null) return;
    onNodeResponseEnd(reply.raw, tracked.finish);
    // Fastify's own hooks are not called for responses that a handler writes directly to `reply.raw`.
    beforeHead(reply.raw, (head) => addSessionHeaders(head, tracked));
    const session = await tracked.session;
    attachSession(request, session);
    Object.assign(request, { [property]: session });
  });
  instance.addHook("onClose", () => tracker.close());
};

// Registers the hooks on the instance itself instead of on a child instance, as the package fastify-plugin does.
Object.assign(sessions, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "@antechamber/client",
  [Symbol.for("plugin-meta")]: { name: "@antechamber/client", fastify: "5.x" },
});

/** Options of `register` itself. Fastify passes them to the plugin too. */
const registerOptions = ["prefix", "logLevel", "logSerializers"];

function incoming(request: FastifyRequest) {
  return {
    method: request.method,
    target: request.originalUrl,
    isEncrypted: request.protocol === "https",
    header: (name: string) => request.headers[name]?.toString(),
  };
}
