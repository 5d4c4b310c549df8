import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { createExchanges, type Delivery } from "./exchange.ts";
import { beforeHead, whenOver } from "./node-response.ts";
import type { SessionsOptions } from "./options.ts";
import { attachSession } from "./request-session.ts";
import { tellHead } from "./tell-head.ts";

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
  readonly property?: string | undefined;
}

/**
 * Fastify plugin: resolves the session of each request of the instance that registers it, as
 * `request.session` and for `sessionOf(request)`, and records the request when its answer is over.
 * Without Antechamber a request goes on after the deadline, with `null` for its session. Closing
 * the instance delivers the last records.
 */
export const sessions: FastifyPluginAsync<FastifyOptions> = async (instance, options) => {
  const exchanges = createExchanges(options, ["property", ...registerOptions]);
  const { property = "session" } = options;

  instance.decorate("sessions", exchanges);
  instance.decorateRequest(property, null);
  instance.addHook("onRequest", async (request, reply) => {
    const exchange = exchanges.begin(incoming(request));
    if (exchange === null) return;
    whenOver(reply.raw, exchange.over);
    // Not in a hook of Fastify, so that responses written without Fastify have the session too.
    beforeHead(reply.raw, (head) => tellHead(head, exchange));
    const session = await exchange.session;
    attachSession(request, session);
    Object.assign(request, { [property]: session });
  });
  instance.addHook("onClose", () => exchanges.close());
};

// What fastify-plugin does, without depending on it: the hooks are the registering instance's own.
Object.assign(sessions, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "@antechamber/client",
  [Symbol.for("plugin-meta")]: { name: "@antechamber/client", fastify: "5.x" },
});

/** Options of `register` itself, which it also passes to the plugin. */
const registerOptions = ["prefix", "logLevel", "logSerializers"];

function incoming(request: FastifyRequest) {
  return {
    method: request.method,
    target: request.originalUrl,
    isEncrypted: request.protocol === "https",
    header: (name: string) => request.headers[name]?.toString(),
  };
}
