import type { AddressInfo } from "node:net";
import cookies from "@fastify/cookie";
import fastifySession from "@fastify/session";
import createFastify, { type FastifyRequest } from "fastify";
import { antechamberSession } from "../../../src/stores/fastify-session.ts";
import { SECRET, type SessionObject, type Site, type StartSite, TIMEOUT_MS, type Visit } from "./site.ts";

export const startFastify: StartSite = async ({ cookie = {}, rolling = false, unset: _unset, ...options }) => {
  const app = createFastify({ forceCloseConnections: true });
  await app.register(cookies);
  await app.register(antechamberSession(fastifySession, { timeout: TIMEOUT_MS, ...options }), {
    secret: SECRET,
    cookieName: "connect.sid",
    cookie: { secure: false, ...cookie },
    saveUninitialized: false,
    rolling,
  });
  app.all("/", async (request, reply) => {
    const body = JSON.stringify((await site.handle(visitOf(request))) ?? null);
    return reply.type("application/json").send(body);
  });
  app.setErrorHandler((error, _request, reply) => reply.code(500).send({ error: String(error) }));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const site: Site = {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    handle: () => undefined,
    [Symbol.asyncDispose]: () => app.close(),
  };
  return site;
};

function visitOf(request: FastifyRequest): Visit {
  const session = () => request.session as unknown as SessionObject;
  return {
    session: session(),
    id: () => request.session.sessionId,
    regenerate: () => request.session.regenerate().then(session),
    reload: () => request.session.reload().then(session),
    destroy: () => request.session.destroy(),
    save: () => request.session.save(),
  };
}
