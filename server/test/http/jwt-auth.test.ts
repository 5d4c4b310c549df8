import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import type { JWTPayload } from "jose";
import type { TokenConfig } from "../../src/config/config.ts";
import { Jwks } from "../../src/http/auth/jwks.ts";
import { Refusal } from "../../src/session/errors.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { eventually, until } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { EXTENSION, type Issuer, type KeySetResponder, startIssuer, type TokenFaults } from "../support/issuer.ts";
import { DAY, MINUTE, SECOND } from "../support/sessions.ts";

let issuer: Issuer;
let server: TestServer;
before(async () => {
  issuer = await startIssuer();
  server = await serveFor(issuer);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

/** Starts a server that trusts this issuer, with a clock that only the tests advance. */
function serveFor({ config }: Issuer, more: Partial<TokenConfig> = {}): Promise<TestServer> {
  return serve({ frozen: true, config: { auth: "jwt", tokens: { ...config, ...more } } });
}

function bearing(token: string, at: TestServer = server): Api {
  return createApi(at.url, { authorization: `Bearer ${token}` });
}

async function apiOf(claims: JWTPayload, more: TokenFaults = {}): Promise<Api> {
  return bearing(await issuer.token(claims, more));
}

const reporter = { role: "reporter" };
const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";

test("the claims of a token identify the caller", async () => {
  const alice = await apiOf({ role: "customer", customerId: "alice" });
  const own = sessionOf(await alice.create({ headers: { gkc_customerId: "alice" } }));
  problemOf(await alice.create({ headers: { gkc_customerId: "bob" } }), 403, "identity-mismatch");
  problemOf(await alice.call("GET", "/metrics"), 403, "role-not-permitted");

  const bob = await apiOf({ role: "customer", customerId: "bob" });
  assert.notEqual(sessionOf(await bob.retrieve(own.sessionId)).sessionId, own.sessionId);
  const agent = await apiOf({ role: "agent", agentId: "7", customerId: "not read" });
  assert.equal(sessionOf(await agent.retrieve(own.sessionId)).customerId, "alice");
  sessionOf(await agent.create({ headers: { gkc_agentId: "7" } }));
  problemOf(await agent.create({ headers: { gkc_agentId: "8" } }), 403, "identity-mismatch");
  assert.equal((await (await apiOf(reporter)).call("GET", "/metrics")).status, 200);
  const administrator = await apiOf({ role: ["viewer", "administrator"] });
  sessionOf(await administrator.create({ headers: { gkc_agentId: "8", gkc_customerId: "c" } }));
  const page = await apiOf({ role: "customer", customerId: null });
  problemOf(await page.create({ headers: { gkc_customerId: "c" } }), 403, "identity-mismatch");
});

test("the names of the claims and a default role are configurable", async () => {
  const claims = { role: "https://shop.example/role", customerId: "sub", agentId: "agent" };
  await using own = await serveFor(issuer, { claims, defaultRole: "customer" });
  const alice = bearing(await issuer.token({ sub: "alice" }), own);
  sessionOf(await alice.create({ headers: { gkc_customerId: "alice" } }));
  const agent = bearing(await issuer.token({ [claims.role]: "agent", agent: "7", sub: "a" }), own);
  sessionOf(await agent.create({ headers: { gkc_agentId: "7" } }));
  const wrong = bearing(await issuer.token({ [claims.role]: "owner", sub: "alice" }), own);
  problemOf(await wrong.create(), 401, "invalid-credential");
});

/** Functions that make tokens with one fault each. */
const wrong: Record<string, (now: number) => Promise<string>> = {
  "is no token": async () => "nothing",
  "has two parts": async () => (await issuer.token(reporter)).split(".").slice(0, 2).join("."),
  "has a changed payload": async () => {
    const [head, , tail] = (await issuer.token(reporter)).split(".");
    const [, payload] = (await issuer.token({ role: "administrator" })).split(".");
    return [head, payload, tail].join(".");
  },
  "was signed by another key": () => issuer.token(reporter, { stranger: true }),
  "names a key of nobody": () => issuer.token(reporter, { header: { kid: "unknown" } }),
  "brings its own key": async () => {
    const jwk = { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA" };
    return issuer.token(reporter, { stranger: true, header: { jwk, kid: "unknown" } });
  },
  "says where its key is": () => {
    const jku = `${issuer.config.issuer}other-keys`;
    return issuer.token(reporter, { stranger: true, header: { jku, x5u: jku, kid: "unknown" } });
  },
  "has the algorithm none": async () => unsigned({ alg: "none" }),
  "has the algorithm nOnE": async () => unsigned({ alg: "nOnE" }),
  "is an HMAC with the public key": async () => hmac(await issuer.publicKey()),
  "is an HMAC with nothing": async () => hmac(""),
  "has an extension that must be understood": () =>
    issuer.token(reporter, { header: { crit: [EXTENSION], [EXTENSION]: 1 } }),
  "has expired": (now) => issuer.token(reporter, { now: now - 10 * MINUTE, lifetime: 569 }),
  "is not valid yet": (now) => issuer.token({ ...reporter, nbf: Math.ceil(now / 1000) + 31 }),
  "never expires": () => issuer.token(reporter, { lifetime: null }),
  "is for another audience": () => issuer.token(reporter, { audience: ["a", "Antechamber"] }),
  "is from another issuer": () => issuer.token(reporter, { issuer: `${issuer.config.issuer}x` }),
  "has no role": () => issuer.token({}),
  "has an unknown role": () => issuer.token({ role: "Administrator" }),
  "has two roles": () => issuer.token({ role: ["reporter", "agent"] }),
  "has a role that is no text": () => issuer.token({ role: { reporter: true } }),
  "has a role by inheritance": () => issuer.token({ ["__proto__"]: reporter }),
  "has a customer that is a number": () => issuer.token({ role: "customer", customerId: 7 }),
  "has a customer that is no id": () => issuer.token({ role: "customer", customerId: "a\nb" }),
  "has a customer with a space at its end": () => issuer.token({ role: "customer", customerId: "alice " }),
  "is a logout token by its type": () => issuer.token(reporter, { header: { typ: "application/Logout+JWT" } }),
  "is a logout token by its event": () => issuer.token({ ...reporter, events: { [LOGOUT_EVENT]: {} } }),
  "is an ID token by the claim typ": () => issuer.token({ ...reporter, typ: "ID", azp: "shop" }),
  "is an ID token by the claim token_use": () => issuer.token({ ...reporter, token_use: "id" }),
  "is an ID token by a hash": () => issuer.token({ ...reporter, at_hash: "AAAA", scope: "openid", azp: "shop" }),
  "is an ID token by a hash of its code": () => issuer.token({ ...reporter, c_hash: "AAAA" }),
  "is an ID token by a nonce": () => issuer.token({ ...reporter, nonce: "n", auth_time: 1 }),
  "is another kind of token by its type": () => issuer.token(reporter, { header: { typ: "secevent+jwt" } }),
  "is too long": () => issuer.token({ ...reporter, pad: "x".repeat(9000) }),
};

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function claimsNow(): object {
  const { issuer: iss, audiences } = issuer.config;
  return { ...reporter, iss, aud: audiences[0], exp: Math.floor(Date.now() / 1000) + 600 };
}

function unsigned(header: object): string {
  return `${encode(header)}.${encode(claimsNow())}.`;
}

function hmac(secret: string): string {
  const text = `${encode({ alg: "HS256", kid: "key-1" })}.${encode(claimsNow())}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

test("every wrong token gets the same response", async () => {
  const bodies = new Set<string>();
  for (const [what, make] of Object.entries(wrong)) {
    const answer = await bearing(await make(server.now())).create();
    // On Node the token exceeds the runtime's own limit for headers.
    if (answer.status === 431) continue;
    assert.equal(answer.status, 401, `a token that ${what}: ${answer.text}`);
    problemOf(answer, 401, "invalid-credential");
    bodies.add(answer.text.replace(answer.headers.get("x-request-id") ?? "", ""));
  }
  assert.equal(bodies.size, 1, [...bodies].join("\n"));
  problemOf(await createApi(server.url).create(), 401, "credential-required");
});

test("access tokens of every usual form are accepted", async () => {
  const forms: readonly [JWTPayload, Record<string, unknown>][] = [
    [{ nonce: "n", at_hash: "AAAA", client_id: "shop", scope: "read" }, { typ: "at+jwt" }],
    [{}, { typ: "application/AT+JWT" }],
    [{ typ: "Bearer", nonce: "n", auth_time: 1, azp: "shop", scope: "openid" }, { typ: "JWT" }],
    [{ nonce: "n", auth_time: 1, azp: "shop", uid: "u" }, { typ: "JWT" }],
    [{ scp: "read", ver: "2.0" }, { typ: "JWT" }],
    [{ token_use: "access", client_id: "shop" }, {}],
    [{ auth_time: 1 }, {}],
  ];
  for (const [claims, header] of forms) {
    const answer = await (await apiOf({ ...reporter, ...claims }, { header })).create();
    assert.equal(answer.status, 200, `${JSON.stringify([claims, header])}: ${answer.text}`);
  }
});

test("an algorithm that is not configured is refused, whatever the key", async () => {
  await using own = await serveFor(issuer, { algorithms: ["RS256", "EdDSA"] });
  problemOf(await bearing(await issuer.token(reporter), own).create(), 401, "invalid-credential");
});

test("a token without a key id is verified with each suitable key", async () => {
  await using own = await startIssuer();
  await own.rotate();
  await using at = await serveFor(own);
  sessionOf(await bearing(await own.token(reporter, { header: { kid: undefined } }), at).create());
  const forged = await own.token(reporter, { header: { kid: undefined }, stranger: true });
  problemOf(await bearing(forged, at).create(), 401, "invalid-credential");
});

test("a token is valid by the server's clock, with half a minute of leeway", async () => {
  await using own = await serveFor(issuer);
  const now = own.now();
  const api = bearing(await issuer.token(reporter, { now, lifetime: 300 }), own);
  const early = { ...reporter, nbf: Math.floor(now / 1000) + 29 };
  sessionOf(await bearing(await issuer.token(early, { now }), own).create());
  sessionOf(await api.create());
  own.pass(5 * MINUTE + 28 * SECOND);
  sessionOf(await api.create());
  own.pass(3 * SECOND);
  problemOf(await api.create(), 401, "invalid-credential");
});

test("when the wall clock is corrected after a jump, tokens are valid again", async () => {
  await using own = await serveFor(issuer);
  const now = own.now();
  const api = bearing(await issuer.token({ role: "administrator" }, { now, lifetime: 300 }), own);
  const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  own.step(DAY);
  problemOf(await api.create(), 401, "invalid-credential");
  const nbf = Math.floor(own.now() / 1000);
  const ahead = bearing(await issuer.token({ ...reporter, nbf }, { now: own.now() }), own);
  sessionOf(await ahead.create());
  own.step(-DAY);
  // This token was valid only while the clock was wrong, and must not be cached as valid.
  problemOf(await ahead.create(), 401, "invalid-credential");
  // The jump of the clock made the session expire, and it stays expired.
  assert.notEqual(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
});

test("new keys of the issuer are found, and withdrawn keys are refused within ten minutes", async () => {
  await using own = await startIssuer();
  await using at = await serveFor(own);
  const old = bearing(await own.token(reporter, { lifetime: 7200 }), at);
  sessionOf(await old.create());
  assert.equal(own.fetches, 1);
  await own.rotate();
  const next = bearing(await own.token(reporter, { lifetime: 7200 }), at);
  // Within 30 s of a fetch, an unknown key causes no other fetch.
  problemOf(await next.create(), 401, "invalid-credential");
  at.pass(30 * SECOND);
  sessionOf(await next.create());
  sessionOf(await old.create());
  assert.equal(own.fetches, 2);

  await own.rotate("new");
  at.pass(10 * MINUTE);
  await until("the old token is refused", async () => (await old.create()).status === 401);
  problemOf(await next.create(), 401, "invalid-credential");
  assert.equal(own.fetches, 3);
});

test("a flood of 10,000 unknown keys causes one fetch in 30 s", async () => {
  await using own = await startIssuer();
  await using at = await serveFor(own);
  const good = bearing(await own.token(reporter), at);
  sessionOf(await good.create());
  const [, payload, signature] = (await own.token(reporter)).split(".");
  const flood = async (from: number, count: number) => {
    const statuses = new Set<number>();
    for (let i = from; i < from + count; i += 50) {
      const answers = Array.from({ length: 50 }, (_, j) => {
        const header = encode({ alg: "ES256", kid: `random-${i + j}` });
        return bearing(`${header}.${payload}.${signature}`, at).create();
      });
      for (const { status } of await Promise.all(answers)) statuses.add(status);
    }
    return [...statuses];
  };
  assert.deepEqual(await flood(0, 5000), [401]);
  assert.equal(own.fetches, 1);
  at.pass(30 * SECOND);
  assert.deepEqual(await flood(5000, 5000), [401]);
  assert.equal(own.fetches, 2);
  sessionOf(await good.create());
});

test("cached keys stay valid while the key-set server fails in any way", async () => {
  await using own = await startIssuer();
  await using at = await serveFor(own);
  const good = bearing(await own.token(reporter, { lifetime: 36_000 }), at);
  sessionOf(await good.create());
  const bad: Record<string, Parameters<Issuer["answer"]>[0]> = {
    "says no": (response) => response.writeHead(500).end("{}"),
    redirects: (response) => response.writeHead(302, { location: `${own.config.issuer}elsewhere` }).end(),
    "sends garbage": (response) => response.end("<html>"),
    "sends a set that is none": (response) => response.end('{"keys":{}}'),
    "sends an empty set": (response) => response.end('{"keys":[]}'),
    "sends too much": (response, keySet) => response.end(`${" ".repeat(300 * 1024)}${keySet}`),
    "hangs up": (response) => void response.socket?.destroy(),
  };
  for (const [what, how] of Object.entries(bad)) {
    own.answer(how);
    at.pass(10 * MINUTE);
    const fetchesBefore = own.fetches;
    sessionOf(await good.create());
    await until("the key set is fetched", () => own.fetches > fetchesBefore);
    sessionOf(await good.create());
    assert.equal(own.fetches, fetchesBefore + 1, `a server that ${what}`);
  }
  await own.vanish();
  at.pass(10 * MINUTE);
  sessionOf(await good.create());
  sessionOf(await bearing(await own.token(reporter, { now: at.now() }), at).create());
});

for (const [what, hang] of [
  ["its answer", () => undefined],
  ["the rest of its answer", (response) => response.writeHead(200).write('{"keys":[')],
] as const satisfies [string, KeySetResponder][]) {
  test(`a key-set server that hangs before ${what} is abandoned after a timeout`, async () => {
    await using own = await startIssuer();
    own.answer(hang);
    const fetchOnce = async () => {
      const failures: unknown[] = [];
      const keySet = new Jwks({
        url: own.config.keySetUrl,
        clock: () => 0,
        events: { fetched: () => assert.fail(), failed: (error) => failures.push(error) },
        timeoutMs: 500,
      });
      await assert.rejects(keySet.keys(), Refusal);
      assert.equal(failures.length, 1);
      return own.fetches;
    };
    // On a busy machine some requests may not reach the server in time.
    await eventually(async () => assert.equal(await fetchOnce(), 1));
  });
}

test("until the first key set is fetched, requests get 503, and the log says why", async () => {
  await using own = await startIssuer();
  await own.vanish();
  await using at = await serveFor(own);
  const api = bearing(await own.token(reporter), at);
  const refused = await api.create();
  problemOf(refused, 503, "unavailable");
  const retryAfter = Number(refused.headers.get("retry-after"));
  assert.ok(retryAfter >= 1 && retryAfter <= 30, String(retryAfter));
  assert.match(at.log(), /key set not fetched/);
  // The line of the refused request too, with the reason why the fetch failed.
  assert.match(at.log(), /"code":"unavailable".*could not be fetched yet.*"cause":\{.*"msg":"refused"/);
  assert.equal((await createApi(at.url).call("GET", "/readyz")).status, 200);
  problemOf(await createApi(at.url).create(), 401, "credential-required");
  await own.resume();
  at.pass(30 * SECOND);
  sessionOf(await api.create());
  assert.match(at.log(), /key set fetched/);
});

test("the log says why a token was refused, and what is allowed", async () => {
  const { issuer: iss, audiences } = issuer.config;
  const reasons: [token: string, reason: RegExp][] = [
    ["opaque-token", /not a signed token \(JWT\).* ask for "antechamber"/],
    ["ak_abc", /API key of this service, which only mode key accepts/],
    ["a.b.c.d.e", /encrypted/],
    ["e30.e30.e30", /malformed/],
    [
      await issuer.token(reporter, { issuer: iss.slice(0, -1) }),
      new RegExp(`iss is "${iss.slice(0, -1)}", and jwtIssuer is "${iss}"`),
    ],
    [await issuer.token(reporter, { audience: ["a", "b"] }), /aud is a list, .* "antechamber"/],
    [await issuer.token({}), /claim role .*is missing.*jwtDefaultRole.*customer, agent, service, reporter/],
    [await issuer.token({ role: "boss-secret" }), /claim role .*is a text and names no role/],
    [await issuer.token({ role: ["agent", "reporter"] }), /claim role .*names several roles/],
    [await issuer.token({ role: { agent: true } }), /claim role .*is an object/],
    [await issuer.token({ role: "customer", customerId: 4711 }), /customerId is a number: .* text of 1/],
    [await issuer.token({ role: "agent", agentId: "a\nb" }), /agentId contains a control character/],
    [await issuer.token({ role: "agent", agentId: ["a"] }), /agentId is a list/],
    [await issuer.token(reporter, { lifetime: null }), /exp is missing/],
    [await issuer.token(reporter, { now: server.now(), lifetime: -60 }), /exp is in the past: .* expired at 20\d\d-/],
    [await issuer.token({ ...reporter, nbf: 4e9 }), /nbf is in the future: .* from 2096-/],
    [await issuer.token(reporter, { stranger: true }), /the signature was not made/],
    [await issuer.token(reporter, { header: { kid: "x" } }), /no key of the key set fits/],
    [await issuer.token({ ...reporter, events: { [LOGOUT_EVENT]: {} } }), /it is a logout token/],
    [
      await issuer.token({ ...reporter, nonce: "4711" }),
      /it is an ID token \(it has a nonce, .*: send the access token/,
    ],
    [await issuer.token(reporter, { header: { typ: "dpop+jwt" } }), /its typ is .*another kind of token/],
    [unsigned({ alg: "none" }), /not signed/],
    [hmac("x"), /not one of jwtAlgorithms: "ES256"/],
  ];
  assert.equal(audiences[0], "antechamber");
  for (const [token, reason] of reasons) {
    problemOf(await bearing(token).create(), 401, "invalid-credential");
    const line = server
      .log()
      .trimEnd()
      .split("\n")
      .findLast((each) => each.includes("token refused"));
    const logged = (JSON.parse(line ?? "{}") as { reason?: string }).reason ?? "";
    assert.match(logged, reason);
    assert.doesNotMatch(logged, /boss-secret|4711/);
    if (token.length > 20) assert.ok(!logged.includes(token));
  }
});

test("the log says why a key set cannot be fetched, once for each reason", async () => {
  await using own = await startIssuer();
  const discovery = JSON.stringify({ issuer: own.config.issuer, jwks_uri: own.config.keySetUrl });
  own.answer((response) => response.writeHead(404).end());
  await using at = await serveFor(own);
  const api = bearing(await own.token(reporter), at);
  const linesOf = () =>
    at
      .log()
      .split("\n")
      .filter((line) => line.includes("key set not fetched"))
      .map((line) => JSON.parse(line) as { level: number; msg: string; err: { message: string } });
  for (const [how, reason] of [
    [undefined, /status 404/],
    [undefined, /status 404/],
    [(response) => response.end(discovery), /discovery document .* jwks_uri/],
    [(response) => response.end("<html>"), /it is not JSON/],
  ] as const satisfies [KeySetResponder | undefined, RegExp][]) {
    if (how !== undefined) own.answer(how);
    problemOf(await api.create(), 503, "unavailable");
    assert.match(linesOf().at(-1)?.err.message ?? "", reason);
    at.pass(30 * SECOND);
  }
  assert.equal(linesOf().length, 3);
  for (const { level, msg } of linesOf()) {
    assert.equal(level, 50);
    assert.match(msg, /no keys yet: every token is refused with 503/);
  }
  own.answer();
  sessionOf(await api.create());
  own.answer((response) => response.writeHead(500).end());
  at.pass(10 * MINUTE);
  const later = bearing(await own.token(reporter, { now: at.now() }), at);
  sessionOf(await later.create());
  await until("four lines are logged", () => linesOf().length === 4);
  assert.deepEqual([linesOf()[3]?.level, /cached keys/.test(linesOf()[3]?.msg ?? "")], [40, true]);
});

test("no log line contains a part of a token", async () => {
  const token = await issuer.token({ role: "customer", customerId: "secret-customer" });
  sessionOf(await bearing(token).create());
  problemOf(await bearing(`${token}x`).create(), 401, "invalid-credential");
  const log = server.log();
  assert.match(log, /token refused/);
  for (const part of [...token.split("."), "secret-customer"]) assert.ok(!log.includes(part));
});
