// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serve, type TestServer } from "../support/in-process.ts";
import { MINUTE } from "../support/sessions.ts";
import { type Ask, cookieOf, createAsk, identityOf } from "./forward-auth-requests.ts";

/* The cookie that /forward-auth sets. */

let server: TestServer;
let ask: Ask;
before(async () => {
  server = await serve({ config: { accessLog: "off" } });
  ask = createAsk(server);
});
after(() => server[Symbol.asyncDispose]());

test("the cookie is Secure if the first proxy reports a secure connection", async () => {
  for (const value of ["https", "HTTPS", "wss", "https, http", "Wss,http", "\thttps \t, ws"]) {
    const cookie = cookieOf(await ask([`X-Forwarded-Proto: ${value}`])) ?? "";
    assert.match(cookie, /^sessionId=[\w-]{40}; Path=\/; SameSite=Lax; HttpOnly; Secure$/, value);
  }
  const twice = await ask(["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"]);
  assert.match(cookieOf(twice) ?? "", /; Secure$/);
  for (const value of ["http", "ws", "http, https", "httpsx", ", https", "x https", ""]) {
    const cookie = cookieOf(await ask([`X-Forwarded-Proto: ${value}`])) ?? "";
    assert.match(cookie, /; SameSite=Lax; HttpOnly$/, value);
  }
});

test("the cookie is set as configured, and only a cookie of the configured name is read", async () => {
  await using own = await serve({
    config: {
      cookieName: "__Secure-visit",
      cookieDomain: "shop.example",
      cookieSameSite: "strict",
      cookieHttpOnly: false,
      cookieMaxAge: 2 * 60 * MINUTE,
    },
  });
  const answer = await ask([], { to: own });
  const [id = ""] = identityOf(answer);
  const attributes = "Path=/; Domain=shop.example; Max-Age=7200; SameSite=Strict; Secure";
  assert.equal(cookieOf(answer), `__Secure-visit=${id}; ${attributes}`);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  for (const [name, isFound] of [
    ["__Secure-visit", true],
    ["sessionId", false],
    ["__secure-visit", false],
    ["x__Secure-visit", false],
  ] as const) {
    const [found] = identityOf(await ask([`Cookie: a=b; ${name}=${id}`], { to: own }));
    assert.equal(found === id, isFound, name);
  }
});

test("a cookie that browsers accept only with Secure is always Secure", async () => {
  for (const config of [
    { cookieSameSite: "none" },
    { cookieName: "__Host-s" },
    { cookieName: "__http-s" },
    { cookieName: "__Host-Http-s" },
  ] as const) {
    await using own = await serve({ config });
    const cookie = cookieOf(await ask(["X-Forwarded-Proto: http"], { to: own })) ?? "";
    assert.match(cookie, /; Path=\/; SameSite=(Lax|None); HttpOnly; Secure$/);
  }
});
