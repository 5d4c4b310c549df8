import { PassThrough } from "node:stream";
import fastify from "fastify";
import { sessionOf, sessions } from "../../../src/middleware/fastify.ts";
import { count, createGate, pageOf, type StartSite, signIn, signOut, withDeadline } from "./site.ts";

export const startFastify: StartSite = async (options) => {
  const gate = createGate();
  const app = fastify({ forceCloseConnections: true });
  await app.register(sessions, withDeadline(options));
  for (const path of ["/page", "/page/*", "/health"]) {
    app.get(path, (request, reply) => reply.type("application/json").send(pageOf(sessionOf(request))));
  }
  app.post("/sign-in", async (request, reply) =>
    reply.type("application/json").send(await signIn(sessionOf(request), request.url)),
  );
  app.post("/count", async (request, reply) => reply.type("application/json").send(await count(sessionOf(request))));
  app.post("/sign-out", async (request, reply) =>
    reply.type("application/json").send(await signOut(sessionOf(request))),
  );
  app.get("/fail", () => {
    throw new Error("a broken page");
  });
  app.get("/stream", (_request, reply) => {
    const body = new PassThrough();
    body.write("one");
    void gate.pass().then(() => body.end("two"));
    return reply.send(body);
  });
  app.get("/slow", async () => {
    await gate.pass();
    return "at last";
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    url,
    delivery: app.sessions,
    gate,
    async [Symbol.asyncDispose]() {
      gate.open();
      await app.close();
    },
  };
};
