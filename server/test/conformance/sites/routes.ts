import type { RequestSession } from "@antechamber/client/fetch";

// Builds of examples copy this file, so it imports nothing of the tests.

/** Responds to a request of the suite's application. `headers` are those that the application sees. */
export async function respond(request: Request, session: RequestSession | null): Promise<Response> {
  const json = { headers: { "content-type": "application/json" } };
  const { pathname } = new URL(request.url);
  switch (pathname.startsWith("/page/") ? "/page" : pathname) {
    case "/page":
    case "/health":
      return new Response(JSON.stringify({ session, asserted: asserted(request) }), json);
    case "/sign-in":
      return new Response(await signIn(session, new URL(request.url)), json);
    case "/count":
      return new Response(await count(session), json);
    case "/sign-out":
      return new Response(JSON.stringify({ ended: (await session?.end()) ?? null }), json);
    case "/stream":
      return new Response(streamed());
    default:
      throw new Error("a broken page");
  }
}

async function signIn(session: RequestSession | null, { searchParams }: URL): Promise<string> {
  const stored = await session?.identify({ customerId: searchParams.get("customer") });
  return JSON.stringify({ stored: stored ?? null, session });
}

async function count(session: RequestSession | null): Promise<string> {
  const stored = await session?.update(({ visits }) => ({ visits: Number(visits ?? 0) + 1 }));
  return JSON.stringify({ stored: stored ?? null, session });
}

/** Returns the names of headers that assert an identity. */
function asserted({ headers }: Request): string[] {
  return [...headers.keys()].filter((name) => /^gkc[-_.](?:agent|customer|visit|globalvisit)id$/.test(name));
}

function streamed(): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const text of ["one", "two"]) controller.enqueue(bytes.encode(text));
      controller.close();
    },
  });
}
