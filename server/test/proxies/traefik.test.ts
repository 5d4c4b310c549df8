// runs: outside

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressAliases, aliases, assertionHeader, identityHeaders } from "./aliases.ts";
import { allValues, exampleDocument, onlyValue } from "./documents.ts";
import { type KeyedServer, requestsOf, serveKeyed } from "./key-mode.ts";
import { sessionCookie } from "./visitor.ts";

let server: KeyedServer;
before(async () => {
  server = await serveKeyed();
});
after(() => server[Symbol.asyncDispose]());

/** The sub-request of Traefik 3, with the example, for `POST https://shop.example/orders/7?q=secret`. */
const subRequest = (bearer: string, own: readonly string[]) => [
  "Host: antechamber:8080",
  "User-Agent: Mozilla/5.0",
  ...own,
  `Authorization: ${bearer}`,
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Host: shop.example",
  "X-Forwarded-Method: POST",
  "X-Forwarded-Port: 443",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Uri: /orders/7?q=secret",
  "Accept-Encoding: gzip",
];

test("traefik: its sub-request is answered with every header of the identity and recorded", async () => {
  const session = await server.createSession("alice");
  for (const own of [
    `Cookie: theme=dark; sessionId=${session.sessionId}`,
    `Gkc-Sessionid: ${session.sessionId}`,
    `Gkc_sessionid: ${session.sessionId}`,
  ]) {
    const answer = await server.ask("GET /forward-auth", subRequest(server.bearer, [own]));
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers.get("gkc-sessionid"), session.sessionId);
    assert.equal(answer.headers.get("gkc-customerid"), "alice");
    for (const name of ["gkc-agentid", "gkc-visitid", "gkc-globalvisitid"]) {
      assert.equal(answer.headers.get(name), "", name);
    }
    assert.equal(sessionCookie(answer), undefined);
  }
  const requests = requestsOf(await server.timeline(session.sessionId));
  assert.deepEqual(
    requests.map(({ sequence, method, path, service }) => [sequence, method, path, service]),
    [1, 2, 3].map((sequence) => [sequence, "POST", "/orders/7", "shop.example"]),
  );
});

test("traefik: a new visitor behind https gets a secure cookie, and all identity headers except one empty", async () => {
  const answer = await server.ask("GET /forward-auth", subRequest(server.bearer, []));
  assert.equal(answer.status, 200, answer.body);
  const sessionId = answer.headers.get("gkc-sessionid") ?? "";
  assert.equal(sessionCookie(answer), `sessionId=${sessionId}; Path=/; SameSite=Lax; HttpOnly; Secure`);
  for (const name of identityHeaders.slice(1)) {
    assert.equal(answer.headers.get(name.toLowerCase()), "", name);
  }
});

test("traefik: a wrong key gets no identity", async () => {
  const answer = await server.ask("GET /forward-auth", subRequest("Bearer ak_wrong", []));
  assert.equal(answer.status, 401);
  assert.ok(![...answer.headers.keys()].some((name) => name.startsWith("gkc")));
});

test("traefik: the example copies the whole identity and clears every spelling of it", () => {
  const document = exampleDocument("traefik/dynamic.yml");
  assert.deepEqual(onlyValue(document, "authResponseHeaders"), [...identityHeaders, assertionHeader]);
  assert.deepEqual(onlyValue(document, "addAuthCookiesToResponse"), ["sessionId"]);
  assert.equal(onlyValue(document, "trustForwardHeader"), false);
  // Go has the flag for ignoring case inside the pattern; JavaScript has it outside.
  const [, pattern] = /^\(\?i\)(.+)$/.exec(String(onlyValue(document, "authResponseHeadersRegex"))) ?? [];
  assert.ok(pattern !== undefined);
  const cleared = new RegExp(pattern, "i");
  assert.deepEqual(
    aliases().filter((name) => !cleared.test(name)),
    [],
  );
});

test("traefik: every name in the example is defined, and the key reaches only Antechamber", () => {
  const document = exampleDocument("traefik/dynamic.yml");
  const [router] = Object.values(onlyValue(document, "routers") as object) as [Router];
  const [, middlewares] = allValues(document, "middlewares") as [unknown, object];
  assert.deepEqual(router.middlewares, Object.keys(middlewares));
  assert.ok(router.service in (onlyValue(document, "services") as object));
  const authorization = allValues(document, "Authorization");
  assert.equal(authorization.length, 2);
  assert.match(String(authorization[0]), /^Bearer /);
  assert.equal(authorization[1], "", "the last middleware removes it");
  // Traefik itself sets these two headers in which a client may claim an address.
  const own = ["X-Forwarded-For", "X-Real-IP"];
  for (const name of addressAliases()) {
    if (own.includes(name) || name.includes(".")) continue;
    assert.equal(onlyValue(document, name.replace("IP", "Ip")), "", name);
  }
  assert.equal(onlyValue(document, "Cache-Control"), "private, no-store");
  const fixed = exampleDocument("traefik/traefik.yml");
  assert.deepEqual(router.entryPoints, Object.keys(onlyValue(fixed, "entryPoints") as object));
  assert.equal(onlyValue(fixed, "filename"), "dynamic.yml");
});

interface Router {
  readonly middlewares: readonly string[];
  readonly entryPoints: readonly string[];
  readonly service: string;
}
