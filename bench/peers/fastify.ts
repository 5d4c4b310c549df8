// A session service made of @fastify/session and connect-redis, a store that the documentation of @fastify/session
// names.
import type { AddressInfo } from "node:net";
import fastifyCookie, { Signer } from "@fastify/cookie";
import fastifySession from "@fastify/session";
import { RedisStore } from "connect-redis";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { connectedClient } from "./redis-client.ts";
import { associate, COOKIE_SECRET, given, IDLE_SECONDS, sessionInfo } from "./session-info.ts";

declare module "fastify" {
  interface Session {
    createdAt?: number;
    agentId?: string | null;
    customerId?: string | null;
    visitId?: string | null;
    globalVisitId?: string | null;
  }
}

const client = await connectedClient();

const app = Fastify({ bodyLimit: 16 * 1024 });
await app.register(fastifyCookie);
await app.register(fastifySession, {
  store: new RedisStore({ client, ttl: IDLE_SECONDS }),
  secret: new Signer(COOKIE_SECRET),
  saveUninitialized: false,
  cookie: { secure: false }, // with the default (true), the cookie is not sent over plain HTTP
  // `rolling` is on by default, so using a session renews it, as in our service.
});

function answer(request: FastifyRequest, reply: FastifyReply) {
  return reply.header("cache-control", "no-store").send(sessionInfo(request.session.sessionId, request.session));
}

function associateAndAnswer(request: FastifyRequest, reply: FastifyReply) {
  request.session.createdAt ??= Date.now();
  if (associate(request.session, given(request.headers, request.body))) {
    return answer(request, reply);
  }
  return reply.code(400).send({ code: "already-exists" });
}

app.put("/sessions/new", associateAndAnswer);
app.post("/sessions/current", associateAndAnswer);
app.get("/sessions/current", (request, reply) => {
  request.session.createdAt ??= Date.now();
  return answer(request, reply);
});

await app.listen({ port: 0, host: "127.0.0.1" });
const { port } = app.server.address() as AddressInfo;
console.log(`listening on http://127.0.0.1:${port}`);
