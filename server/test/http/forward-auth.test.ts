// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, utf8 } from "../support/raw-http.ts";
import { newSession, pageOf } from "../support/records.ts";
import { MINUTE } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";
import {
  type Ask,
  bulk,
  cookieOf,
  createAsk,
  forwardAuthConfig,
  identityHeaders,
  identityOf,
  requestsIn,
  requestText,
} from "./forward-auth-requests.ts";

/** Trusts proxies on this machine, so that the tests can report a client's address. */
const thisMachine = [parseRange("127.0.0.1") as AddressRange];

const keys = {
  proxy: keyFor({ role: "agent", agentId: "proxy" }),
  alice: keyFor({ role: "customer", customerId: "alice" }),
  reporter: keyFor({ role: "reporter" }),
  expired: keyFor({}, { expiresAt: Date.now() - 1 }),
};

let server: TestServer;
let strict: TestServer;
let guarded: TestServer;
let api: Api;
let ask: Ask;
before(async () => {
  server = await serve({
    config: forwardAuthConfig,
  });
  api = createApi(server.url);
  ask = createAsk(server);
  strict = await serve({ config: { forwardAuth: "required" } });
  guarded = await serve({
    config: { auth: "key" },
    keys: Object.values(keys).map(({ key }) => key),
  });
});
after(async () => {
  for (const one of [server, strict, guarded]) await one[Symbol.asyncDispose]();
});

test("a request that cannot be read gets 403, a temporary fault gets 503", async () => {
  await using own = await serve();
  const raw = (line: string, ...lines: string[]) => exchange(own.port, `${[line, ...lines].join("\r\n")}\r\n\r\n`);
  const host = "Host: localhost";
  const long = "x".repeat(70_000);
  const answers = await Promise.all([
    raw("GET /forward-auth HTTP/1.1", host, bulk(70_000)),
    raw("GET /forward-auth/a HTTP/1.1", host, bulk(70_000)),
    raw("GET /forward-auth?a HTTP/1.1", host, ...Array.from({ length: 600 }, () => "X: y")),
    raw(`GET /forward-auth/${long} HTTP/1.1`, host),
    raw("GET /forward-auth HTTP/1.1"),
    raw("GET /forward-auth HTTP/1.1", host, host),
    raw("GET /forward-auth HTTP/1.1", host, "no field"),
    raw("GET /forward-auth HTTP/1.1", host, "X: \x01"),
    raw("GET /forward-auth HTTP/1.1", host, "Transfer-Encoding: gzip, chunked"),
    raw("GET /forward-auth HTTP/1.1", host, "Content-Length: 1", "Content-Length: 2"),
    raw("GET /forward-auth HTTP/1.1", host, "Expect: nothing"),
    raw("GET /forward-auth HTTP/2.0", host),
    raw("GET /forward-auth http", host),
    raw("GET http://localhost/forward-auth?a HTTP/1.1", host, bulk(70_000)),
  ]);
  for (const { status, headers, body } of answers) {
    const problem = problemOf({ status, headers, text: body }, 403, "invalid-request");
    assert.notEqual(problem.detail, "");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("connection"), "close");
  }
  assert.match(answers[0]?.body ?? "", /64 KiB/);
  const { text: metrics } = await createApi(own.url).call("GET", "/metrics");
  const count = answers.length;
  assert.ok(metrics.includes(`antechamber_requests_total{operation="forward-auth",status="403"} ${count}`));
  assert.ok(metrics.includes(`antechamber_refusals_total{code="invalid-request"} ${count}`));
  assert.ok(!metrics.includes("antechamber_unreadable_requests_total{"));
  const lines = own
    .log()
    .split("\n")
    .filter((line) => line.includes('"forward-auth"'));
  assert.equal(lines.length, count);
  assert.match(lines[0] ?? "", /"status":403.*"peer":"127\.0\.0\.1"/);
});

test("every 200 has every identity header, also the first one of a visit", async () => {
  const fresh = await ask(["X-Forwarded-Uri: /first"]);
  const [id = "", ...rest] = identityOf(fresh);
  assert.match(id, /^[\w-]{40}$/);
  assert.deepEqual(rest, ["", "", "", ""]);
  assert.equal(cookieOf(fresh), `sessionId=${id}; Path=/; SameSite=Lax; HttpOnly`);
  const again = await ask([`Cookie: sessionId=${id}`, "X-Forwarded-Uri: /second"]);
  assert.deepEqual(identityOf(again), [id, "", "", "", ""]);
  assert.equal(cookieOf(again), undefined);
  const paths = (await requestsIn(id, api)).map(({ path }) => path);
  assert.deepEqual(paths, ["/first", "/second"]);
  assert.equal(sessionOf(await api.retrieve(id)).sessionId, id);
});

test("an associated id is in the next response, encoded as UTF-8", async () => {
  for (const customerId of ["Zoë", "à", "Å…", "名前", "😀", "a\u00a0", "a,b;c=d", "%0d%0a"]) {
    const id = await newSession(api);
    assert.equal(identityOf(await ask([`gkc-sessionId: ${id}`]))[1], "");
    sessionOf(await api.update(id, { headers: { gkc_customerId: utf8(customerId) } }));
    await using connection = await openConnection(server.port);
    connection.send(requestText([`gkc-sessionId: ${id}`, "Connection: close"]));
    const raw = await connection.closed();
    const line = raw.split("\r\n").find((one) => /^gkc-customerid:/i.test(one));
    assert.equal(line?.slice(line.indexOf(":") + 1).replace(/^ /, ""), utf8(customerId));
  }
});

test("identity headers of the client are ignored, in every spelling", async () => {
  const id = await newSession(api);
  const spoofed = [
    "gkc-customerId: evil",
    "gkc_customerId: evil",
    "GKC-AGENTID: evil",
    "gkc_agentId: evil",
    "gkc-visitId: evil",
    "gkc-globalVisitId: evil",
  ];
  for (const lines of [[`Cookie: sessionId=${id}`], []]) {
    const [found = "", ...rest] = identityOf(await ask([...spoofed, ...lines]));
    assert.deepEqual(rest, ["", "", "", ""]);
    assert.equal(sessionOf(await api.retrieve(found)).customerId, null);
  }
});

test("a request whose ids have no live session gets a new session with another id", async () => {
  await using still = await serve({ frozen: true });
  const expired = await newSession(createApi(still.url), { json: { visitId: "v" } });
  still.pass(31 * MINUTE);
  const foreign = await newSession(api);
  for (const id of [expired, foreign, `${expired.slice(0, -1)}x`, "x", "A".repeat(40), "%00"]) {
    const answer = await ask([`gkc-sessionId: ${id}`, `Cookie: sessionId=${id}`], { to: still });
    const [made] = identityOf(answer);
    assert.notEqual(made, id);
    assert.ok(cookieOf(answer)?.startsWith(`sessionId=${made};`));
  }
});

test("every forwarded request renews its session", async () => {
  await using still = await serve({ frozen: true });
  const calls = createApi(still.url);
  const id = await newSession(calls, { headers: { gkc_customerId: "anna" } });
  for (let i = 0; i < 4; i++) {
    still.pass(20 * MINUTE);
    assert.equal(identityOf(await ask([`Cookie: sessionId=${id}`], { to: still }))[0], id);
  }
  assert.equal((await pageOf(calls, id)).total, 4);
});

test("a CORS preflight gets 200 without an identity, and nothing is stored", async () => {
  const own = await newSession(api);
  await using few = await serve({
    config: {
      perAddress: { creates: undefined, misses: { count: 1, period: 60_000 }, requests: undefined },
      trustedProxies: thisMachine,
    },
  });
  for (const to of [server, strict, few]) {
    for (const [lines, method] of [
      [["X-Forwarded-Method: OPTIONS", "X-Forwarded-Uri: /kbs"], "GET"],
      [["X-Original-Method: OPTIONS", "X-Original-URI: /kbs"], "GET"],
      [["X-Original-URI: /kbs", "X-Forwarded-Method: OPTIONS"], "GET"],
      [["X-Forwarded-Method: OPTIONS", "Access-Control-Request-Method: PUT"], "POST"],
      [["Origin: https://shop.example", "X-Forwarded-Method: "], "OPTIONS"],
      [[`Cookie: sessionId=${own}`, "X-Forwarded-For: 192.0.2.1"], "OPTIONS"],
    ] as const) {
      const answer = await ask(lines, { to, method });
      assert.deepEqual(identityOf(answer), ["", "", "", "", ""], lines.join());
      assert.equal(cookieOf(answer), undefined);
    }
  }
  assert.deepEqual(await requestsIn(own, api), []);
  const missed = await ask(["X-Forwarded-For: 192.0.2.1"], { to: few });
  assert.match(identityOf(missed)[0] ?? "", /^[\w-]{40}$/);
  const again = await ask(["X-Forwarded-For: 192.0.2.1"], { to: few });
  assert.equal(again.status, 503);
});

test("a request that only looks like a preflight is treated like any other", async () => {
  for (const [lines, method] of [
    [["X-Forwarded-Method: GET", "X-Forwarded-Uri: /"], "OPTIONS"],
    [["X-Original-Method: GET", "X-Original-URI: /", "X-Forwarded-Method: OPTIONS"], "GET"],
    [["X-Forwarded-Method: OPTIONS", "X-Original-Method: GET"], "GET"],
    [["X-Forwarded-Method: options"], "GET"],
    [["Access-Control-Request-Method: GET"], "GET"],
  ] as const) {
    assert.equal((await ask(lines, { to: strict, method })).status, 401, lines.join());
  }
});

test("where a session is required, a request without one is refused", async () => {
  for (const lines of [[], ["Cookie: sessionId=x"], [`gkc-sessionId: ${"A".repeat(40)}`]]) {
    const refused = await ask(lines, { to: strict });
    assert.equal(refused.status, 401);
    assert.equal((JSON.parse(refused.body) as { code: string }).code, "session-required");
    for (const name of ["set-cookie", ...identityHeaders]) {
      assert.equal(refused.headers.has(name), false, name);
    }
  }
  const id = await newSession(createApi(strict.url));
  assert.equal(identityOf(await ask([`Cookie: sessionId=${id}`], { to: strict }))[0], id);
});

test("mode local: a request for another host is refused with 403", async () => {
  const foreign = "GET /forward-auth HTTP/1.1\r\nHost: shop.example\r\n\r\n";
  const answer = await exchange(server.port, foreign);
  assert.equal(answer.status, 403);
  assert.equal(answer.headers.has("set-cookie"), false);
});

test("mode key: the proxy's own key decides, and sessions that it may not read are treated as unknown", async () => {
  const by = (person: keyof typeof keys) => `Authorization: ${keys[person].bearer}`;
  const calls = createApi(guarded.url, { authorization: keys.proxy.bearer });
  const id = await newSession(calls, { headers: { gkc_customerId: "bob" } });
  const cookie = `Cookie: sessionId=${id}`;
  const to = guarded;
  assert.equal(identityOf(await ask([by("proxy"), cookie], { to }))[1], "bob");
  assert.equal((await ask([cookie], { to })).status, 401);
  assert.equal((await ask([by("expired"), cookie], { to })).status, 401);
  assert.equal((await ask(["Authorization: Basic eDp5", cookie], { to })).status, 401);
  assert.equal((await ask([by("reporter"), cookie], { to })).status, 403);
  const [other, customerId] = identityOf(await ask([by("alice"), cookie], { to }));
  assert.notEqual(other, id);
  assert.equal(customerId, "");
  assert.equal((await requestsIn(id, calls)).length, 1);
});

test("a body, any method and long URIs are accepted", async () => {
  const id = await newSession(api);
  const session = `gkc-sessionId: ${id}`;
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
    for (const target of ["/forward-auth", "/forward-auth/", "/forward-auth/a/../b//c"]) {
      assert.equal(identityOf(await ask([session], { method, target }))[0], id, method);
    }
  }
  await using connection = await openConnection(server.port);
  connection.send(`${requestText([session, "Content-Length: 5"], "/forward-auth", "POST")}hello`);
  assert.equal((await connection.response()).status, 200);
  const long = await ask([session, `X-Forwarded-Uri: /${"a".repeat(8000)}?${"b".repeat(4000)}`]);
  assert.equal(identityOf(long)[0], id);
  const stored = (await requestsIn(id, api)).at(-1)?.path ?? "";
  assert.ok(stored.startsWith("/aaaa") && stored.length >= 1024 && stored.length < 8000);
});

test("whatever a proxy forwards, the response has a status that proxies understand", async () => {
  const id = await newSession(api);
  const names = fc.constantFrom(
    "X-Forwarded-Uri",
    "X-Original-URI",
    "X-Forwarded-Method",
    "X-Original-Method",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Cookie",
    "gkc-sessionId",
    "gkc_sessionId",
    "gkc_customerId",
    "Authorization",
    "Idempotency-Key",
    "Origin",
  );
  // Generates every byte that HTTP allows in a header.
  const byte = fc
    .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }))
    .map((code) => String.fromCharCode(code));
  const piece = fc.oneof(
    byte,
    fc.constantFrom(id, "sessionId=", "/", "?", "&", ";", ",", "%", "%ff", "%F0%9F", '"', "a".repeat(900)),
  );
  const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
  const lines = fc.array(
    fc.tuple(names, value).map(([name, content]) => `${name}: ${content}`),
    { maxLength: 6 },
  );
  // Without ".", since a proxy must resolve dot segments before it calls /forward-auth.
  const target = fc
    .array(fc.constantFrom("/", "a", "%", "%zz", "?", "&", "=", "sessionId", id, ":", "//"), {
      maxLength: 8,
    })
    .map((pieces) => `/forward-auth/${pieces.join("")}`);
  await fc.assert(
    fc.asyncProperty(lines, fc.oneof(target, fc.constant("/forward-auth")), async (sent, to) => {
      const answer = await ask(sent, { target: to });
      assert.ok([200, 401, 403, 503].includes(answer.status), `${answer.status} for ${sent.join()}`);
      if (answer.status === 200) identityOf(answer);
    }),
    { numRuns: sized(100, 400, 5000) },
  );
  assert.ok(!server.log().includes('"defect"'), "a defect was told as an outage");
});
