import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { createExchanges, type Delivery, type Exchange } from "./exchange.ts";
import { whenOver } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession } from "./request-session.ts";

export type { Delivery } from "./exchange.ts";
export type { CookieOptions, SessionSource, SessionsOptions } from "./options.ts";
export { type RequestSession, sessionOf } from "./request-session.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The records of `sessions` that are on their way; closing the instance delivers them. */
    readonly sessions: Delivery;
  }
}

export interface FastifyOptions extends SessionsOptions {
  /** The property of the request that has the session; `session` by default. */
  readonly property?: string;
}

/**
 * Fastify plugin: resolves the session of each request of the instance that registers it, as
 * `request.session` and for `sessionOf(request)`, and records the request when its answer is over.
 * Without Antechamber a request goes on after the deadline, with `null` for its session. Closing
 * the instance delivers the last records.
 */
export const sessions: FastifyPluginAsync<FastifyOptions> = async (instance, options) => {
  const { property = "session", ...rest } = options;
  const exchanges = createExchanges(rest);
  const current = new WeakMap<FastifyRequest, Exchange>();

  instance.decorate("sessions", exchanges);
  instance.decorateRequest(property, null);
  instance.addHook("onRequest", async (request, reply) => {
    const exchange = exchanges.begin(incoming(request));
    if (exchange === null) return;
    whenOver(reply.raw, exchange.over);
    const session = await exchange.session;
    attachSession(request, session);
    Object.assign(request, { [property]: session });
    current.set(request, exchange);
  });
  // When the answer is sent and not before: a sign-in may have replaced the session.
  instance.addHook("onSend", async (request, reply) => tell(reply, current.get(request)));
  instance.addHook("onClose", () => exchanges.close());
};

// What fastify-plugin does, without depending on it: the hooks are the registering instance's own.
Object.assign(sessions, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "@antechamber/client",
  [Symbol.for("plugin-meta")]: { name: "@antechamber/client", fastify: "5.x" },
});

function incoming(request: FastifyRequest) {
  return {
    method: request.method,
    target: request.originalUrl,
    isEncrypted: request.protocol === "https",
    header: (name: string) => request.headers[name]?.toString(),
  };
}

function tell(reply: FastifyReply, exchange: Exchange | undefined): void {
  const headers = exchange?.headers() ?? [];
  if (headers.length === 0) return;
  // An answer that hands out a session is for one visitor, also in caches that keep cookies.
  if (!reply.hasHeader("cache-control")) reply.header("cache-control", "private");
  // Fastify adds cookies to those that are there.
  for (const [name, value] of headers) reply.header(name, value);
}
