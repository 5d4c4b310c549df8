// runs: outside

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type Api, sessionOf } from "../support/api.ts";
import { startAntechamber } from "./antechamber.ts";
import { nginx } from "./nginx.ts";
import { startProxy } from "./proxy-process.ts";
import { visit } from "./visitor.ts";

/* An application behind nginx that follows docs/proxies.md, "Sign-in and sign-out". */

const COOKIE = "Path=/; HttpOnly; SameSite=Lax";

/** Signs in a customer. Returns the new cookie if the browser needs one. */
async function signIn(api: Api, session: string, customerId: string): Promise<string | undefined> {
  const headers = { "gkc-customerId": customerId };
  const updated = await api.update(session, { headers });
  if (updated.status === 200) return undefined;
  const { code } = JSON.parse(updated.text) as { code: string };
  assert.ok(updated.status === 404 || code === "already-exists", updated.text);
  const created = sessionOf(await api.create({ headers }));
  return `sessionId=${created.sessionId}; ${COOKIE}`;
}

async function signOut(api: Api, session: string): Promise<string> {
  await api.call("DELETE", `/sessions/${session}`);
  return `sessionId=; Max-Age=0; ${COOKIE}`;
}

async function startShop(api: Api): Promise<AsyncDisposable & { port: number }> {
  const act = async (request: IncomingMessage): Promise<string | undefined> => {
    const session = String(request.headers["gkc-sessionid"]);
    const { pathname, searchParams } = new URL(request.url ?? "", "http://shop.example");
    if (pathname === "/sign-out") return signOut(api, session);
    if (pathname !== "/sign-in") return undefined;
    // Ends the session between the sub-request and the update.
    if (searchParams.has("late")) await api.call("DELETE", `/sessions/${session}`);
    return signIn(api, session, searchParams.get("user") ?? "");
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const cookie = await act(request);
    if (cookie !== undefined) response.setHeader("Set-Cookie", cookie);
    response.end(String(request.headers["gkc-customerid"] ?? "nobody"));
  };
  const server = createServer((request, response) => {
    void answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

test("an application behind a proxy signs people in and out as documented", async () => {
  await using antechamber = await startAntechamber();
  await using shop = await startShop(antechamber.api);
  const ports = { antechamber: antechamber.port, application: shop.port };
  await using proxy = await startProxy(nginx, ports);
  let cookie = "";
  const browse = async (path: string, method = "GET") => {
    const headers = cookie === "" ? [] : [`Cookie: ${cookie}`];
    const answer = await visit(proxy.port, path, { method, headers });
    assert.equal(answer.status, 200, proxy.log());
    const set = answer.headers.get("set-cookie")?.split("\n").at(-1);
    if (set !== undefined) cookie = set.includes("Max-Age=0") ? "" : (set.split(";")[0] ?? "");
    return answer.body;
  };

  assert.equal(await browse("/"), "nobody");
  const first = cookie;
  await browse("/sign-in?user=anna", "POST");
  await browse("/sign-in?user=anna", "POST");
  assert.equal(cookie, first, "the session stays");
  assert.equal(await browse("/"), "anna");

  await browse("/sign-in?user=bob", "POST");
  assert.notEqual(cookie, first, "another person gets another session");
  assert.equal(await browse("/"), "bob");

  await browse("/sign-out", "POST");
  assert.equal(cookie, "");
  assert.equal(await browse("/"), "nobody");

  await browse("/sign-in?user=carl&late", "POST");
  assert.equal(await browse("/"), "carl");
});
