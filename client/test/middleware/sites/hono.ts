import { Hono } from "hono";
import { stream } from "hono/streaming";
import { type SessionVariables, sessions } from "../../../src/middleware/hono.ts";
import { serveFetch } from "./fetch-server.ts";
import { count, createGate, pageOf, type StartSite, signIn, signOut, withDeadline } from "./site.ts";

export const startHono: StartSite = async (options) => {
  const gate = createGate();
  const middleware = sessions(withDeadline(options));
  const app = new Hono<{ Variables: SessionVariables }>();
  app.use(middleware);
  const json = { "content-type": "application/json" };
  for (const path of ["/page/*", "/health"]) {
    app.get(path, (c) => c.body(pageOf(c.get("session")), 200, json));
  }
  app.post("/sign-in", async (c) => c.body(await signIn(c.var.session, c.req.url), 200, json));
  app.post("/count", async (c) => c.body(await count(c.var.session), 200, json));
  app.post("/sign-out", async (c) => c.body(await signOut(c.var.session), 200, json));
  app.get("/fail", () => {
    throw new Error("a broken page");
  });
  app.get("/stream", (c) =>
    stream(c, async (body) => {
      await body.write("one");
      await gate.pass();
      await body.write("two");
    }),
  );
  app.get("/slow", async (c) => {
    await gate.pass();
    return c.text("at last");
  });
  app.onError((error, c) => c.text(String(error), 500));

  const server = await serveFetch((request, env) => app.fetch(request, env));
  return {
    url: server.url,
    delivery: middleware,
    gate,
    async [Symbol.asyncDispose]() {
      gate.open();
      await server.close();
      await middleware.close();
    },
  };
};
