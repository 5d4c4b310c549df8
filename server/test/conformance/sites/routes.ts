import type { RequestSession } from "@antechamber/client/fetch";
import { pageOf, signIn, signOut } from "../../../../client/test/middleware/sites/site.ts";

/** Responds to a request of the suite's application. `headers` are those that the application sees. */
export async function respond(request: Request, session: RequestSession | null): Promise<Response> {
  const json = { headers: { "content-type": "application/json" } };
  const { pathname } = new URL(request.url);
  switch (pathname.startsWith("/page/") ? "/page" : pathname) {
    case "/page":
    case "/health":
      return new Response(
        JSON.stringify({ ...(JSON.parse(pageOf(session)) as object), asserted: asserted(request) }),
        json,
      );
    case "/sign-in":
      return new Response(await signIn(session, request.url), json);
    case "/sign-out":
      return new Response(await signOut(session), json);
    case "/stream":
      return new Response(streamed());
    default:
      throw new Error("a broken page");
  }
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
