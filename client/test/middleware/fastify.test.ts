import assert from "node:assert/strict";
import { test } from "node:test";
import fastify from "fastify";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessionOf, sessions } from "../../src/middleware/fastify.ts";

const antechamber = oneServer();

test("the session is request.session, or the property that the option names", async () => {
  for (const property of ["session", "visitor"]) {
    const app = fastify();
    await app.register(sessions, { url: antechamber.url, deadline: 20_000, property });
    app.get("/", (request) => {
      const there = (request as unknown as Record<string, unknown>)[property];
      return { isThere: there !== null && there === sessionOf(request) };
    });
    assert.deepEqual((await app.inject("/")).json(), { isThere: true });
    await app.close();
  }
});

test("a property that another plugin uses is refused when the application starts", async () => {
  const app = fastify();
  app.decorateRequest("visitor", null);
  const options = { url: "http://127.0.0.1:1", property: "visitor" };
  await assert.rejects(async () => await app.register(sessions, options), /decorator 'visitor' has already been added/);
});

test("responses of hooks and of unknown paths carry the session too", async () => {
  const app = fastify();
  await app.register(sessions, { url: antechamber.url, deadline: 20_000 });
  app.addHook("preHandler", async (request, reply) => {
    if (request.url === "/early") return reply.code(418).send("early");
  });
  app.get("/early", () => "late");
  for (const [url, status] of [
    ["/early", 418],
    ["/nowhere", 404],
  ] as const) {
    const response = await app.inject(url);
    assert.equal(response.statusCode, status);
    assert.match(String(response.headers["set-cookie"]), /^sessionId=/);
  }
  await app.close();
});
