import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { serve } from "../../../server/test/support/in-process.ts";
import { sessions as withFetch } from "../../src/middleware/fetch.ts";
import { sessions as withHono } from "../../src/middleware/hono.ts";
import { serveFetch } from "./sites/fetch-server.ts";

const form = new FormData();
form.set("name", "value");
const file = new URL("../../package.json", import.meta.url).pathname;

/** Responses with each kind of body; for most kinds the runtime sets a content type. */
const bodies: Readonly<Record<string, () => Response>> = {
  text: () => new Response("<b>text</b>"),
  "text with headers": () => new Response("text", { headers: { "x-other": "1" } }),
  "long text": () => new Response("text ".repeat(100_000)),
  "empty text": () => new Response(""),
  bytes: () => new Response(new Uint8Array(3)),
  blob: () => new Response(new Blob(["png"], { type: "image/png" })),
  form: () => new Response(form),
  parameters: () => new Response(new URLSearchParams({ a: "1" })),
  html: () => new Response("<p>", { headers: { "content-type": "text/html" } }),
  json: () => Response.json({ a: 1 }),
  stream: () => new Response(new Blob(["stream"]).stream()),
  ...(process.versions.bun === undefined ? {} : { file: () => new Response(Bun.file(file)) }),
};

test("hono and fetch: the middleware does not change the type, length and range of a body", async () => {
  await using antechamber = await serve();
  const options = { url: antechamber.url, deadline: 20_000 };
  const [withSession, middleware] = [withFetch(options), withHono(options)];
  const respond = (request: Request) => {
    const body = bodies[decodeURIComponent(new URL(request.url).pathname.slice(1))];
    return body?.() ?? new Response(null, { status: 404 });
  };
  const app = new Hono().all("*", (c) => respond(c.req.raw));
  const watched = new Hono().use(middleware).all("*", (c) => respond(c.req.raw));
  const wrapped = withSession((request, _context, _environment?: object) => respond(request));
  for (const [plain, handler] of [
    [respond, (request: Request, environment?: object) => wrapped(request, environment)],
    [
      (request: Request, environment?: object) => app.fetch(request, environment),
      (request: Request, environment?: object) => watched.fetch(request, environment),
    ],
  ] as const) {
    const [without, site] = [await serveFetch(plain), await serveFetch(handler)];
    const first = await fetch(site.url);
    const cookie = first.headers.getSetCookie()[0]?.split(";", 1)[0] ?? "";
    for (const name of Object.keys(bodies)) {
      for (const range of ["bytes=0-1", "none"]) {
        const expected = await factsOf(`${without.url}/${name}`, { range });
        const response = await factsOf(`${site.url}/${name}`, { range });
        assert.match(response.cookies, /^sessionId=/, name);
        assert.deepEqual({ ...response, cookies: "" }, expected, `${name} to a new visitor`);
        const known = await factsOf(`${site.url}/${name}`, { range, cookie });
        assert.deepEqual(known, expected, `${name} to a known visitor`);
      }
    }
    await Promise.all([without.close(), site.close()]);
  }
  await withSession.close();
  await middleware.close();
});

/** Returns the parts of a response that must not change. The boundary of a form is left out: it is always different. */
async function factsOf(url: string, headers: Record<string, string>) {
  const response = await fetch(url, { headers });
  const body = await response.text();
  return {
    status: response.status,
    type: response.headers.get("content-type")?.replace(/boundary=.*/, ""),
    length: response.headers.get("content-length"),
    characters: body.length,
    cookies: response.headers.getSetCookie().join(),
  };
}
