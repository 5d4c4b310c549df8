import type { FastifySessionOptions } from "@fastify/session";
import type { FastifyPluginAsync, FastifyPluginCallback, FastifyRequest } from "fastify";
import { FastifyStore } from "./fastify-store.ts";
import { RequestIds } from "./request-ids.ts";
import { createStoreParts, type StoreOptions } from "./store-options.ts";

export type { StoreOptions } from "./store-options.ts";

/** The options of @fastify/session, except those that `antechamberSession` sets. */
export type OwnSessionOptions = Omit<FastifySessionOptions, "store" | "idGenerator">;

/**
 * Returns the plugin @fastify/session with Antechamber as its store. `request.session` then has the data of the session of
 * Antechamber with the id `request.session.sessionId`. Throws a `TypeError` if an option is invalid; registering the plugin
 * rejects with a `TypeError` for the options `store` and `idGenerator`.
 *
 * @example
 * await app.register(cookie);
 * await app.register(antechamberSession(fastifySession, { url: "http://127.0.0.1:8080" }), { secret });
 */
export function antechamberSession(
  fastifySession: FastifyPluginCallback<FastifySessionOptions>,
  options: StoreOptions,
): FastifyPluginAsync<OwnSessionOptions> {
  const name = "antechamberSession()";
  // The function of express-session has a property `Session`.
  if (typeof fastifySession !== "function" || "Session" in fastifySession)
    throw new TypeError(`the first argument of ${name} is the plugin that @fastify/session exports`);
  const parts = createStoreParts(name, options);
  const plugin: FastifyPluginAsync<OwnSessionOptions> = async (instance, given) => {
    for (const own of ["store", "idGenerator"]) {
      if (Object.hasOwn(given, own)) throw new TypeError(`remove the option ${own}: ${name} sets it`);
    }
    const requestIds = new RequestIds(parts.ids);
    const store = new FastifyStore(parts, requestIds);
    // @fastify/session asks for the id of a new session without waiting. So each request gets one beforehand.
    instance.addHook("onRequest", async (request) => {
      requestIds.reserve(request, parts.ids.take() ?? (await parts.ids.wait()));
    });
    const idGenerator = (request?: FastifyRequest) => requestIds.take(request ?? {});
    await instance.register(fastifySession, { ...given, store, idGenerator });
    instance.addHook("onRequest", (request, _reply, done) => {
      requestIds.free(request);
      store.adopt(request);
      done();
    });
  };
  // Registers the hooks on the instance itself instead of on a child instance, as the package fastify-plugin does.
  return Object.assign(plugin, {
    [Symbol.for("skip-override")]: true,
    [Symbol.for("fastify.display-name")]: "@antechamber/client/fastify-session",
    [Symbol.for("plugin-meta")]: { name: "@antechamber/client/fastify-session", fastify: "5.x" },
  });
}
