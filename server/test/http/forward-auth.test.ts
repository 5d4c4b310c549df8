import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RequestEntry } from "@antechamber/client/protocol";
import * as fc from "fast-check";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { exchange, openConnection, type RawResponse, utf8 } from "../support/raw-http.ts";
import { newSession, pageOf, wholeTimeline } from "../support/records.ts";
import { MINUTE } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";

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
before(async () => {
  server = await serve({
    config: {
      recordQueryKeys: ["page"],
      accessLog: "off",
      forwardAuthSources: ["query", "header", "cookie"],
    },
  });
  api = createApi(server.url);
  strict = await serve({ config: { forwardAuth: "required" } });
  guarded = await serve({
    config: { auth: "key" },
    keys: Object.values(keys).map(({ key }) => key),
  });
});
after(async () => {
  for (const one of [server, strict, guarded]) await one[Symbol.asyncDispose]();
});

/** Returns a proxy's request with these header lines as text, in which each character is one byte. */
const text = (lines: readonly string[], target = "/forward-auth", method = "GET") =>
  `${[`${method} ${target} HTTP/1.1`, "Host: localhost", ...lines].join("\r\n")}\r\n\r\n`;

/** Sends a proxy's request to /forward-auth and returns the response. */
function ask(
  lines: readonly string[],
  { target = "/forward-auth", method = "GET", to = server } = {},
): Promise<RawResponse> {
  return exchange(to.port, text(lines, target, method), { head: method === "HEAD" });
}

const identityHeaders = ["gkc-sessionid", "gkc-customerid", "gkc-agentid", "gkc-visitid", "gkc-globalvisitid"];

/** Returns a header whose value has this many bytes. */
const bulk = (bytes: number) => `X-Bulk: ${"x".repeat(bytes)}`;

test("a visitor with many cookies is allowed", async () => {
  const id = await newSession(api);
  const lines = [bulk(50_000), `Cookie: ${"a=b; ".repeat(1000)}sessionId=${id}`];
  const many = [...Array.from({ length: 400 }, () => "X: y"), `Cookie: sessionId=${id}`];
  for (const [fields, target] of [
    [lines, "/forward-auth"],
    [many, "/forward-auth"],
    [lines, "/forward-auth/a/b?c"],
    [many, "http://localhost/forward-auth"],
  ] as const) {
    const answer = await ask(fields, { target });
    assert.deepEqual([answer.status, answer.headers.get("gkc-sessionid")], [200, id], answer.body);
  }
  // The limit for headers is lower on all other paths.
  assert.equal((await ask([bulk(17_000)], { target: "/sessions/x" })).status, 431);
  assert.equal((await ask([bulk(17_000)], { target: "/forward-authority" })).status, 431);
});

test("cookies in several Cookie headers are read like those in one", async () => {
  const id = await newSession(api);
  for (const lines of [
    [`Cookie: sessionId=${id}`, "Cookie: a=1"],
    ["Cookie: a=1", `Cookie: sessionId=${id}`, "Cookie: b=2"],
  ]) {
    assert.equal((await ask(lines)).headers.get("gkc-sessionid"), id);
  }
});

test("a session id in the value of another cookie does not count", async () => {
  const [own, planted] = [await newSession(api), await newSession(api)];
  const values = [
    `x sessionId=${planted}`,
    `x,sessionId=${planted}`,
    `"x, sessionId=${planted}, y"`,
    `sessionId=${planted}`,
  ];
  for (const value of values) {
    const sessionIdWith = async (cookies: string) =>
      (await ask([`Cookie: q=${value}${cookies}`])).headers.get("gkc-sessionid");
    assert.equal(await sessionIdWith(`; sessionId=${own}`), own, value);
    assert.notEqual(await sessionIdWith(""), planted, value);
  }
  assert.equal((await ask([`Cookie: q=x;\t sessionId="${own}" ;r=y`])).headers.get("gkc-sessionid"), own);
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

/** Asserts that a response is a 200 with every identity header, and returns their values. */
function identityOf(answer: RawResponse): string[] {
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  return identityHeaders.map((name) => {
    const value = answer.headers.get(name);
    assert.ok(value !== undefined, `${name} is missing`);
    return value;
  });
}

const cookieOf = (answer: RawResponse) => answer.headers.get("set-cookie");

async function requestsIn(id: string, calls = api): Promise<RequestEntry[]> {
  const entries = await wholeTimeline(calls, id);
  return entries.filter((entry) => entry.type === "request");
}

/** Places where the original request can have the session id. */
const sources: Readonly<Record<string, (id: string) => readonly string[]>> = {
  "the query, of Caddy and Traefik": (id) => [`X-Forwarded-Uri: /a?b=c&sessionId=${id}&d=e`],
  "the query, of nginx": (id) => [`X-Original-URI: /a?sessionId=${id}`],
  "an encoded query": (id) => [`X-Original-URI: /a?session%49d=${id}&sessionId=%${hex(id)}`],
  "the header with underscore": (id) => [`gkc_sessionId: ${id}`],
  "the header with hyphen": (id) => [`GKC-SessionID: ${id}`],
  "the cookie": (id) => [`Cookie: sessionId=${id}`],
  "one of many cookies": (id) => [`Cookie: a=b; xsessionId=no; sessionId=${id}; c=d`],
  "a repeated header": (id) => ["gkc-sessionId: old", `gkc-sessionId: ${id}`],
  "the header in quotes": (id) => [`gkc_sessionId: "${id}"`],
  "a cookie in quotes": (id) => [`Cookie: sessionId="${id}"`],
  "the second cookie of the name": (id) => [`Cookie: sessionId=old; sessionId=${id}`],
  "the cookie, after ids that lead nowhere": (id) => [
    `X-Forwarded-Uri: /?sessionId=${"A".repeat(40)}`,
    "gkc-sessionId: 00000000-0000-0000-0000-0000000000",
    `Cookie: sessionId=${id}`,
  ],
};
const hex = (id: string) => `${id.charCodeAt(0).toString(16)}${id.slice(1)}`;

for (const [name, lines] of Object.entries(sources)) {
  test(`the session is found in ${name}`, async () => {
    const id = await newSession(api, { headers: { gkc_customerId: "anna", gkc_agentId: "7" } });
    const answer = await ask(lines(id));
    assert.deepEqual(identityOf(answer), [id, "anna", "7", "", ""]);
    assert.equal(cookieOf(answer), undefined);
    assert.equal(answer.body, "");
    assert.equal((await requestsIn(id)).length, 1);
  });
}

test("if a request names several live sessions, query precedes header, and header precedes cookie", async () => {
  const [a, b, c] = [await newSession(api), await newSession(api), await newSession(api)];
  const all = [`X-Forwarded-Uri: /?sessionId=${a}`, `gkc_sessionId: ${b}`, `Cookie: sessionId=${c}`];
  for (const [skip, id] of [a, b, c].entries()) {
    assert.equal(identityOf(await ask(all.slice(skip)))[0], id);
  }
});

test("only the sources in the setting are read, in its order", async () => {
  for (const forwardAuthSources of [["header", "cookie"], ["cookie", "query", "header"], ["query"]] as const) {
    await using other = await serve({ config: { forwardAuthSources } });
    const calls = createApi(other.url);
    const ids = {
      query: await newSession(calls),
      header: await newSession(calls),
      cookie: await newSession(calls),
    };
    const lines = [
      `X-Forwarded-Uri: /?sessionId=${ids.query}`,
      `gkc_sessionId: ${ids.header}`,
      `Cookie: sessionId=${ids.cookie}`,
    ];
    const [found] = identityOf(await ask(lines, { to: other }));
    assert.equal(found, ids[forwardAuthSources[0]]);
  }
  await using usual = await serve();
  const id = await newSession(createApi(usual.url));
  const answer = await ask([`X-Forwarded-Uri: /?sessionId=${id}`], { to: usual });
  assert.notEqual(identityOf(answer)[0], id);
});

/** Returns `count` different texts that look like session ids but that no server issued. */
const junkIds = (count: number) => Array.from({ length: count }, (_, i) => `${i}`.padStart(40, "A"));
const cookies = (ids: readonly string[]) => ids.map((id) => `sessionId=${id}`).join("; ");
const query = (ids: readonly string[]) => ids.map((id) => `sessionId=${id}`).join("&");

test("a session is found after any number of ids that the server did not issue, in every source", async () => {
  const id = await newSession(api);
  const junk = junkIds(250);
  for (const lines of [
    [`Cookie: ${cookies([...junk, id])}`],
    [`X-Forwarded-Uri: /?${query(junk)}`, `Cookie: sessionId=${id}`],
    [`X-Forwarded-Uri: /?${query([...junk, id])}`],
    [`gkc-sessionId: ${junk.join(", ")}`, `Cookie: sessionId=${id}`],
    [`gkc-sessionId: ${junk[0]}`, `gkc_sessionId: ${id}`],
    [`X-Forwarded-Uri: /?${"sessionId=a&".repeat(900)}`, `gkc-sessionId: ${id}`],
  ]) {
    const answer = await ask(lines);
    assert.equal(identityOf(answer)[0], id, lines.join().slice(0, 80));
    assert.equal(cookieOf(answer), undefined);
  }
});

onEachEngine((engine) => {
  engine.test("at most four different ids of a source are looked up before the next source", async () => {
    const config = { forwardAuthSources: ["query", "header", "cookie"] } as const;
    await using to = await engine.serve({ config });
    const calls = createApi(to.url);
    const ended = [];
    for (let i = 0; i < 12; i++) ended.push(await newSession(calls));
    for (const id of ended) {
      assert.equal((await calls.call("DELETE", `/sessions/${id}`)).status, 204);
    }
    const id = await newSession(calls);
    const [first = "", second = "", third = "", ...others] = ended;
    const repeated = [first, first, ...junkIds(5), first, second, third];
    for (const [lines, isFound] of [
      [[`Cookie: ${cookies([...repeated, id])}`], true],
      [[`Cookie: ${cookies([...ended, id])}`], false],
      [[`X-Forwarded-Uri: /?${query(ended)}`, `Cookie: ${cookies([...repeated, id])}`], true],
      [[`gkc-sessionId: ${others.join(",")}`, `Cookie: sessionId=${id}`], true],
    ] as const) {
      const answer = await ask(lines, { to });
      assert.equal(identityOf(answer)[0] === id, isFound, lines.join());
    }
  });
});

test("a head full of invented ids takes little more time than one without ids", async () => {
  const id = await newSession(api);
  await using connection = await openConnection(server.port);
  const fastest = async (lines: readonly string[]) => {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 40; i++) {
      const startedAt = performance.now();
      connection.send(text(lines));
      assert.equal(identityOf(await connection.response())[0], id);
      least = Math.min(least, performance.now() - startedAt);
    }
    return least;
  };
  const usual = await fastest([`Cookie: sessionId=${id}`]);
  const full = await fastest([`Cookie: ${cookies([...junkIds(300), id])}`]);
  assert.ok(full - usual < 10, `${full} ms, and ${usual} ms with one id`);
});

test("the original request is recorded, whichever proxy's headers describe it", async () => {
  for (const [lines, options, expected] of [
    [["X-Forwarded-Method: POST", "X-Forwarded-Uri: /cart?mail=x&page=2"], {}, ["POST", "/cart?page=2", null]],
    [
      ["X-Original-Method: PUT", "X-Original-URI: /b?mail=x", "X-Forwarded-Host: shop.example"],
      {},
      ["PUT", "/b", "shop.example"],
    ],
    [[], { target: "/forward-auth/c/d?mail=x", method: "DELETE" }, ["DELETE", "/c/d", null]],
    [[], { target: "/forward-auth/", method: "GET" }, ["GET", "/", null]],
    [[], { target: "/forward-auth?mail=x", method: "POST" }, ["POST", "/", null]],
    [["X-Original-URI: /x"], { method: "HEAD" }, ["HEAD", "/x", null]],
    [["X-Forwarded-Uri: "], {}, ["GET", "/", null]],
  ] as const) {
    const id = await newSession(api);
    identityOf(await ask([...lines, `gkc-sessionId: ${id}`], options));
    const [entry, ...rest] = await requestsIn(id);
    assert.deepEqual(rest, []);
    assert.deepEqual([entry?.method, entry?.path, entry?.service], expected);
    assert.deepEqual([entry?.status, entry?.durationMs], [null, null]);
  }
});

test("the query that Envoy appends may contain the session", async () => {
  const id = await newSession(api);
  const target = `/forward-auth/products/7?sessionId=${id}&page=3`;
  assert.equal(identityOf(await ask([], { target }))[0], id);
  assert.equal((await requestsIn(id))[0]?.path, "/products/7?page=3");
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
  const paths = (await requestsIn(id)).map(({ path }) => path);
  assert.deepEqual(paths, ["/first", "/second"]);
  assert.equal(sessionOf(await api.retrieve(id)).sessionId, id);
});

test("an associated id is in the next response, encoded as UTF-8", async () => {
  for (const customerId of ["Zoë", "à", "Å…", "名前", "😀", "a\u00a0", "a,b;c=d", "%0d%0a"]) {
    const id = await newSession(api);
    assert.equal(identityOf(await ask([`gkc-sessionId: ${id}`]))[1], "");
    sessionOf(await api.update(id, { headers: { gkc_customerId: utf8(customerId) } }));
    await using connection = await openConnection(server.port);
    connection.send(text([`gkc-sessionId: ${id}`, "Connection: close"]));
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
  assert.deepEqual(await requestsIn(own), []);
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

test("paths and hosts are recorded as decoded text", async () => {
  const inUtf8 = (path: string) => [utf8(path), path] as const;
  for (const [sent, expected] of [
    ...["/caf\u00e9", "/stra\u00dfe", "/\u540d\u524d", "/cafe\u0301", "/\u{1f600}", "/\ufeffx"].map(inUtf8),
    ["/caf%C3%A9", "/caf%C3%A9"],
    ["/caf\xe9", "/caf\u00e9"],
    ["/\xff\xfe", "/\u00ff\u00fe"],
    ["/a\x80b", "/a%C2%80b"],
    [utf8("/a\u0085b"), "/a%C2%85b"],
    [utf8("/\u00fc?page=\u540d&mail=x"), "/\u00fc?page=\u540d"],
  ] as const) {
    for (const [lines, target] of [
      [[`X-Forwarded-Uri: ${sent}`], "/forward-auth"],
      [[`X-Original-URI: ${sent}`], "/forward-auth"],
      [[], `/forward-auth${sent}`],
    ] as const) {
      const id = await newSession(api);
      const host = `X-Forwarded-Host: ${utf8("b\u00fccher.example")}`;
      identityOf(await ask([...lines, host, `gkc-sessionId: ${id}`], { target }));
      const [entry] = await requestsIn(id);
      assert.equal(entry?.path, expected);
      assert.equal(entry?.service, "b\u00fccher.example");
    }
  }
});

test("of a target with a scheme and a host, only the path is recorded", async () => {
  for (const [sent, expected] of [
    ["http://shop.example/a%20b?page=2&q=x", "/a%20b?page=2"],
    ["HTTPS://shop.example:8443/a//b", "/a//b"],
    ["http://shop.example", "/"],
    ["http://shop.example?page=2", "/"],
    ["/http://shop.example/a", "/http://shop.example/a"],
    ["//shop.example/a", "//shop.example/a"],
  ]) {
    const id = await newSession(api);
    identityOf(await ask([`X-Forwarded-Uri: ${sent}`, `gkc-sessionId: ${id}`]));
    const [entry] = await requestsIn(id);
    assert.equal(entry?.path, expected);
  }
});

test("a long path is cut between characters", async () => {
  for (const start of ["/", "/a"]) {
    const id = await newSession(api);
    const path = `${start}${"\u{1f600}".repeat(1500)}`;
    identityOf(await ask([`X-Original-URI: ${utf8(path)}`, `gkc-sessionId: ${id}`]));
    const stored = (await requestsIn(id))[0]?.path ?? "";
    assert.ok(path.startsWith(stored) && stored.length > 2000 && stored.isWellFormed());
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
  connection.send(`${text([session, "Content-Length: 5"], "/forward-auth", "POST")}hello`);
  assert.equal((await connection.response()).status, 200);
  const long = await ask([session, `X-Forwarded-Uri: /${"a".repeat(8000)}?${"b".repeat(4000)}`]);
  assert.equal(identityOf(long)[0], id);
  const stored = (await requestsIn(id)).at(-1)?.path ?? "";
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
