import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler } from "express";
import { sessionOf, sessions } from "../../../src/middleware/express.ts";
import { count, createGate, pageOf, type StartSite, signIn, signOut, withDeadline } from "./site.ts";

export const startExpress: StartSite = async (options) => {
  const gate = createGate();
  const middleware = sessions(withDeadline(options));
  const app = express();
  app.use(middleware);
  app.get(["/page{/*path}", "/health"], (request, response) => {
    response.type("json").send(pageOf(sessionOf(request)));
  });
  app.post("/sign-in", (request, response, next) => {
    signIn(sessionOf(request), request.url).then((text) => response.type("json").send(text), next);
  });
  app.post("/count", (request, response, next) => {
    count(sessionOf(request)).then((text) => response.type("json").send(text), next);
  });
  app.post("/sign-out", (request, response, next) => {
    signOut(sessionOf(request)).then((text) => response.type("json").send(text), next);
  });
  app.get("/fail", () => {
    throw new Error("a broken page");
  });
  app.get("/stream", (_request, response) => {
    response.write("one");
    void gate.pass().then(() => response.end("two"));
  });
  app.get("/slow", (_request, response) => {
    void gate.pass().then(() => response.send("at last"));
  });
  const onError: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(500).send(String(error));
  };
  app.use(onError);

  const server = createServer(app).listen(0, "127.0.0.1");
  // Longer than any pause of a test: a request that is sent while its idle connection is closed fails.
  server.keepAliveTimeout = 60_000;
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    delivery: middleware,
    gate,
    async [Symbol.asyncDispose]() {
      gate.open();
      server.closeAllConnections();
      server.close();
      await middleware.close();
    },
  };
};
