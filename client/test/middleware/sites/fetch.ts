import { type SessionContext, sessions } from "../../../src/middleware/fetch.ts";
import { serveFetch } from "./fetch-server.ts";
import { count, createGate, type Gate, pageOf, type StartSite, signIn, signOut, withDeadline } from "./site.ts";

export const startFetch: StartSite = async (options) => {
  const gate = createGate();
  const withSession = sessions(withDeadline(options));
  const handler = withSession((request, context, _environment?: object) => respond(request, context, gate));
  const server = await serveFetch(async (request, environment) => {
    try {
      return await handler(request, environment);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  });
  return {
    url: server.url,
    delivery: withSession,
    gate,
    async [Symbol.asyncDispose]() {
      gate.open();
      await server.close();
      await withSession.close();
    },
  };
};

async function respond(request: Request, { session }: SessionContext, gate: Gate): Promise<Response> {
  const json = { headers: { "content-type": "application/json" } };
  const { pathname } = new URL(request.url);
  switch (pathname.startsWith("/page/") ? "/page" : pathname) {
    case "/page":
    case "/health":
      return new Response(pageOf(session), json);
    case "/sign-in":
      return new Response(await signIn(session, request.url), json);
    case "/count":
      return new Response(await count(session), json);
    case "/sign-out":
      return new Response(await signOut(session), json);
    case "/stream":
      return new Response(streamed(gate));
    case "/slow":
      await gate.pass();
      return new Response("at last");
    default:
      throw new Error("a broken page");
  }
}

function streamed(gate: Gate): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(bytes.encode("one"));
      await gate.pass();
      controller.enqueue(bytes.encode("two"));
      controller.close();
    },
  });
}
