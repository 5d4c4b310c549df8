import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import { oneServer } from "../../../server/test/support/one-server.ts";
import { sessions as withFetch } from "../../src/middleware/fetch.ts";
import { sessions as withHono } from "../../src/middleware/hono.ts";
import { createTransport } from "../../src/transport.ts";

const antechamber = oneServer();

const request = () => new Request("http://site/");

test("a response with immutable headers gets the session in a copy", async () => {
  const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
  const redirect = await withSession(() => Response.redirect("http://site/elsewhere", 303))(request());
  assert.equal(redirect.status, 303);
  assert.equal(redirect.headers.get("location"), "http://site/elsewhere");
  assert.match(redirect.headers.getSetCookie().join(), /^sessionId=/);

  const proxied = await withSession(() => fetch(`${antechamber.url}/nowhere`))(request());
  assert.equal(proxied.status, 404);
  assert.match(proxied.headers.getSetCookie().join(), /^sessionId=/);
  assert.match(await proxied.text(), /not-found/);
  await withSession.close();
});

test("the site's cookies and cache rules are kept", async () => {
  const headers = new Headers({ "cache-control": "no-store" });
  headers.append("set-cookie", "theme=dark");
  headers.append("set-cookie", "size=large");
  const options = { url: antechamber.url, deadline: 20_000 };
  const withSession = withFetch(options);
  const middleware = withHono(options);
  const app = new Hono().use(middleware).get("/", () => new Response("hello", { headers }));
  const streams = new Hono().use(middleware).get("/", () => new Response(new Blob(["hello"]).stream(), { headers }));
  for (const response of [
    await withSession(() => new Response("hello", { headers }))(request()),
    await app.request("/"),
    await streams.request("/"),
  ]) {
    const names = response.headers.getSetCookie().map((cookie) => cookie.split("=")[0]);
    assert.deepEqual(names, ["theme", "size", "sessionId"]);
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(await response.text(), "hello");
  }
  await withSession.close();
  await middleware.close();
});

test("handlers get the other arguments of the server", async () => {
  const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
  const handler = withSession((_request, { session }, name: string, age: number) =>
    Response.json({ name, age, hasSession: session !== null }),
  );
  const response = await handler(request(), "jane", 42);
  assert.deepEqual(await response.json(), { name: "jane", age: 42, hasSession: true });
  await withSession.close();
});

test("a handler's undefined, as after an upgrade, is returned and recorded with 101", async () => {
  const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
  let sessionId = "";
  const handler = withSession((_request, { session }) => {
    sessionId = session?.sessionId ?? "";
    return undefined;
  });
  assert.equal(await handler(request()), undefined);
  await withSession.close();
  const { records } = await createTransport({ url: antechamber.url }).timeline(sessionId);
  const statuses = records.flatMap((entry) => (entry.type === "request" ? [entry.status] : []));
  assert.deepEqual(statuses, [101]);
});

if (process.versions.bun !== undefined) {
  test("Bun's server upgrades connections from within a handler", async () => {
    const withSession = withFetch({ url: antechamber.url, deadline: 20_000 });
    const server = Bun.serve<string>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: withSession((incoming, { session }, bun: Bun.Server<string>) => {
        if (bun.upgrade(incoming, { data: session?.sessionId ?? "none" })) return undefined;
        return new Response("no upgrade");
      }),
      websocket: {
        open: (socket) => void socket.send(socket.data),
        message: () => undefined,
      },
    });
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    const greeting = await new Promise((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => resolve(data));
      socket.addEventListener("error", reject);
    });
    assert.match(String(greeting), /^[\w-]{40}$/);
    assert.equal(await (await fetch(server.url)).text(), "no upgrade");
    socket.close();
    await server.stop(true);
    await withSession.close();
  });
}
