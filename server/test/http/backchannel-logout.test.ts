// runs: once

import assert from "node:assert/strict";
import { after, before, test as testOnSqlite } from "node:test";
import type { AuditPage, Problem, SessionList } from "@antechamber/client/protocol";
import type { JWTPayload } from "jose";
import { createBackchannelLogout } from "../../src/http/handlers/backchannel-logout.ts";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import type { Initiator } from "../../src/services/audit.ts";
import { Refusal } from "../../src/session/errors.ts";
import { type Answer, type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { serve as serveOnSqlite, type TestServer } from "../support/in-process.ts";
import { type Issuer, startIssuer, type TokenFaults } from "../support/issuer.ts";
import { introduce } from "../support/people.ts";
import { MINUTE } from "../support/sessions.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const path = "/oidc/backchannel-logout";
let count = 0;
// Not started by a hook: all hooks of a file run at once, and the others need it.
const issuer = await startIssuer();
after(() => issuer[Symbol.asyncDispose]());

/** Returns a logout token for alice, which is valid except for these changes. */
function logoutToken(claims: JWTPayload = {}, { header, ...more }: TokenFaults = {}): Promise<string> {
  const usual = { sub: "alice", jti: `token-${++count}`, events: { [EVENT]: {} } };
  return issuer.token({ ...usual, ...claims }, { lifetime: 120, ...more, header: { typ: "logout+jwt", ...header } });
}

function postForm(api: Api, form: string | Record<string, string>, headers = {}): Promise<Answer> {
  const type = { "content-type": "application/x-www-form-urlencoded" };
  return api.call("POST", path, { body: String(new URLSearchParams(form)), headers: { ...type, ...headers } });
}

const post = (api: Api, token: string) => postForm(api, { logout_token: token });

/** Asserts that a request was refused as section 2.8 of the specification asks for. */
function assertRefused(answer: Answer, detail: RegExp): void {
  const problem = problemOf(answer, 400, "invalid-request") as Problem & Readonly<Record<string, unknown>>;
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(problem["error"], "invalid_request");
  assert.equal(problem["error_description"], problem.detail);
  assert.match(problem.detail, detail);
}

function assertDone(answer: Answer): void {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, "");
  assert.equal(answer.headers.get("cache-control"), "no-store");
}

async function create(api: Api, customerId: string): Promise<string> {
  return sessionOf(await api.create({ headers: { gkc_customerId: customerId } })).sessionId;
}

async function isLive(api: Api, id: string): Promise<boolean> {
  return (await api.call("HEAD", `/sessions/${id}`)).status === 200;
}

const untrusted = /not a valid token of the configured issuer/;
/** Tokens with one fault each, and a part of the text of the refusal. */
const refused: Record<string, [fault: () => Promise<string>, detail: RegExp]> = {
  "is no token": [async () => "nothing", untrusted],
  "is encrypted": [async () => "a.b.c.d.e", untrusted],
  "is not signed": [
    async () => {
      const [, payload] = (await logoutToken()).split(".");
      return `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
    },
    untrusted,
  ],
  "was signed by another key": [() => logoutToken({}, { stranger: true }), untrusted],
  "names a key of nobody": [() => logoutToken({}, { header: { kid: "unknown" } }), untrusted],
  "is from another issuer": [() => logoutToken({}, { issuer: `${issuer.config.issuer}x` }), untrusted],
  "is for another client": [() => logoutToken({}, { audience: "another" }), untrusted],
  "has expired": [() => logoutToken({}, { now: Date.now() - 10 * MINUTE }), untrusted],
  "never expires": [() => logoutToken({}, { lifetime: null }), untrusted],
  "has no iat": [() => logoutToken({ iat: undefined } as unknown as JWTPayload), untrusted],
  "has an iat that is a text": [() => logoutToken({ iat: "now" as unknown as number }), untrusted],
  "is from the future": [() => logoutToken({}, { now: Date.now() + MINUTE }), /iat is in the future/],
  "is an access token by its type": [() => logoutToken({}, { header: { typ: "at+jwt" } }), /typ .* logout\+jwt/],
  "has no events": [() => logoutToken({ events: undefined }), /not a logout token/],
  "has events that are a list": [() => logoutToken({ events: [EVENT] }), /not a logout token/],
  "has another event": [() => logoutToken({ events: { "urn:other": {} } }), /not a logout token/],
  "has an event that is no object": [() => logoutToken({ events: { [EVENT]: "yes" } }), /not a logout token/],
  "has a nonce": [() => logoutToken({ nonce: "n" }), /nonce/],
  "has a nonce that is null": [() => logoutToken({ nonce: null }), /nonce/],
  "has no jti": [() => logoutToken({ jti: undefined } as unknown as JWTPayload), /jti is missing/],
  "has no sub": [() => logoutToken({ sub: undefined, sid: "s" } as unknown as JWTPayload), /no sub/],
  "has an empty sub": [() => logoutToken({ sub: "" }), /no sub/],
  "has a sub that is a number": [() => logoutToken({ sub: 7 as unknown as string }), /sub is a number/],
  "has a sub that is no id": [() => logoutToken({ sub: "a\nb" }), /sub /],
};

onEachEngine(({ test, serve, empty }) => {
  let server: TestServer;
  let api: Api;
  before(async () => {
    server = await serve({ config: { logout: issuer.config } });
    api = createApi(server.url);
  });
  after(() => server[Symbol.asyncDispose]());

  test("a sign-out at the identity provider ends all sessions of the customer and no others", async () => {
    const ended = [await create(api, "alice"), await create(api, "alice")];
    const others = [await create(api, "alice2"), sessionOf(await api.create()).sessionId];
    assertDone(await post(api, await logoutToken()));
    for (const id of ended) assert.equal(await isLive(api, id), false);
    for (const id of others) assert.equal(await isLive(api, id), true);
    assertDone(await post(api, await logoutToken()));
    assertDone(await post(api, await logoutToken({ sub: "nobody" })));
  });

  test("a sign-out ends thousands of sessions", async () => {
    const ids: string[] = [];
    while (ids.length < 2100) {
      ids.push(...(await Promise.all(Array.from({ length: 50 }, () => create(api, "many")))));
    }
    assertDone(await post(api, await logoutToken({ sub: "many" })));
    // Every hundredth: asking for all of them would take most of the test's time.
    const live = await Promise.all(ids.filter((_, i) => i % 100 === 0).map((id) => isLive(api, id)));
    assert.deepEqual(new Set(live), new Set([false]));
    const { sessions } = JSON.parse((await api.call("GET", "/sessions?customerId=many&live=true")).text) as SessionList;
    assert.deepEqual(sessions, []);
  });

  test("the audit trail names the identity provider, and the customer only by a hash", async () => {
    await create(api, "audited");
    assertDone(await post(api, await logoutToken({ sub: "audited" })));
    const { entries } = JSON.parse((await api.call("GET", "/audit?limit=1")).text) as AuditPage;
    const [entry] = entries;
    assert.equal(entry?.what, "sessions.end");
    assert.equal(entry.outcome, "done");
    assert.equal(entry.who.credential, "identity provider");
    assert.equal(entry.who.role, "service");
    assert.equal(entry.from, "127.0.0.1");
    assert.equal(entry.details["sessions"], 1);
    assert.ok(!JSON.stringify(entry).includes("audited"));
  });

  for (const [what, [make, detail]] of Object.entries(refused)) {
    test(`a logout token that ${what} is refused and ends nothing`, async () => {
      const id = await create(api, "alice");
      assertRefused(await post(api, await make()), detail);
      assert.equal(await isLive(api, id), true);
    });
  }

  test("a logout token is accepted once, and ends no sessions that began afterwards", async () => {
    const token = await logoutToken();
    assertDone(await post(api, token));
    const id = await create(api, "alice");
    assertRefused(await post(api, token), /jti/);
    assert.equal(await isLive(api, id), true);
  });

  test("a request that is not a form with one token is refused", async () => {
    const token = await logoutToken();
    assertRefused(await api.call("POST", path), /logout_token/);
    assertRefused(await postForm(api, {}), /logout_token/);
    assertRefused(await postForm(api, { logout_token: "" }), /logout_token/);
    assertRefused(await postForm(api, `logout_token=${token}&logout_token=${token}`), /twice/);
    assertRefused(await api.call("POST", path, { json: { logout_token: token } }), /x-www-form-urlencoded/);
    const coded = { "content-encoding": "gzip" };
    assertRefused(await postForm(api, { logout_token: token }, coded), /Content-Encoding/);
    problemOf(await postForm(api, { logout_token: "x".repeat(17_000) }), 413, "body-too-large");
    problemOf(await api.call("GET", path), 405, "method-not-allowed");
    assertDone(await postForm(api, { logout_token: token, other: "ignored" }, { "content-type": formInCapitals }));
  });

  test("an overloaded store is answered with 503", async () => {
    await using own = await serve({ config: { logout: issuer.config, maxPendingWrites: 0 } });
    problemOf(await post(createApi(own.url), await logoutToken()), 503, "unavailable");
  });

  test("in every auth mode the token is the only credential", async () => {
    for (const mode of ["local", "key", "jwt", "proxy"] as const) {
      const people = { admin: { role: "administrator", customerId: null, agentId: null } } as const;
      await using known = await introduce(mode, people);
      const config = { ...(await empty()), ...known.config, logout: issuer.config };
      await using own = await serve({ config, keys: known.keys });
      const admin = createApi(own.url, known.headers.admin);
      const id = await create(admin, "alice");
      assertRefused(await post(createApi(own.url), await logoutToken({}, { stranger: true })), untrusted);
      assert.equal(await isLive(admin, id), true);
      assertDone(await post(createApi(own.url), await logoutToken()));
      assert.equal(await isLive(admin, id), false, mode);
    }
  });
});

const formInCapitals = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";

/** Starts a server that believes an issuer. */
const serveFor = ({ config }: Issuer) => serveOnSqlite({ frozen: true, config: { logout: config } });

testOnSqlite("without a configured identity provider there is no such path", async () => {
  await using server = await serveOnSqlite();
  const api = createApi(server.url);
  problemOf(await post(api, await logoutToken()), 404, "not-found");
  problemOf(await api.call("GET", path), 404, "not-found");
});

testOnSqlite("the type of a logout token may be missing or written in several ways", async () => {
  await using server = await serveFor(issuer);
  for (const typ of [undefined, "JWT", "logout+jwt", "application/logout+jwt", "LOGOUT+JWT"]) {
    assertDone(await post(createApi(server.url), await logoutToken({}, { header: { typ } })));
  }
  const several = await logoutToken({}, { audience: ["another", "antechamber"] });
  assertDone(await post(createApi(server.url), several));
});

testOnSqlite("requests are limited by the client's address", async () => {
  const anHour = { count: 1, period: 60 * MINUTE };
  const perAddress = { creates: anHour, misses: anHour, requests: anHour };
  const trustedProxies = [parseRange("127.0.0.1") as AddressRange];
  await using server = await serveOnSqlite({ config: { logout: issuer.config, perAddress, trustedProxies } });
  const api = createApi(server.url, { "x-forwarded-for": "192.0.2.7" });
  assertDone(await post(api, await logoutToken()));
  problemOf(await post(api, await logoutToken()), 429, "too-many-requests");
});

testOnSqlite("while the issuer's keys cannot be fetched, a logout is 503, and can be repeated later", async () => {
  await using own = await startIssuer();
  await own.vanish();
  await using server = await serveFor(own);
  const api = createApi(server.url);
  const id = await create(api, "alice");
  const token = await own.token({ sub: "alice", jti: "one", events: { [EVENT]: {} } });
  const answer = await post(api, token);
  problemOf(answer, 503, "unavailable");
  assert.ok(Number(answer.headers.get("retry-after")) > 0);
  assert.equal(await isLive(api, id), true);
  await own.resume();
  server.pass(MINUTE / 2);
  assertDone(await post(api, token));
  assert.equal(await isLive(api, id), false);
});

testOnSqlite("a withdrawn key is refused even if the last logout was long ago", async () => {
  await using own = await startIssuer();
  await using server = await serveFor(own);
  const api = createApi(server.url);
  const token = (jti: string) => own.token({ sub: "alice", jti, events: { [EVENT]: {} } }, { lifetime: 7200 });
  const old = await token("old");
  assertDone(await post(api, await token("first")));
  await own.rotate("new");
  const next = await token("next");
  server.pass(10 * MINUTE);
  assertRefused(await post(api, old), untrusted);
  assertDone(await post(api, next));
});

testOnSqlite("the log says why a logout token is refused, with the names of the settings", async () => {
  await using server = await serveFor(issuer);
  const reasons: [string, RegExp][] = [
    [
      await logoutToken({}, { issuer: "https://other.example" }),
      /iss is .*https:\/\/other.example.*and logoutIssuer is/,
    ],
    [await logoutToken({}, { audience: "another" }), /none of logoutAudience: \\"antechamber\\"/],
    [await logoutToken({ nonce: "n" }), /it has a nonce/],
  ];
  for (const [token, reason] of reasons) {
    assertRefused(await post(createApi(server.url), token), /./);
    assert.match(server.log(), reason);
  }
});

testOnSqlite("the provider can repeat a logout that failed, with the same token", async () => {
  let fails = true;
  const handle = createBackchannelLogout({
    verifyLogoutToken: async () => ({ customerId: "alice", jti: "one" }),
    initiatorOf: () => ({ from: "192.0.2.7" }) as Initiator,
    sessionAdmin: {
      endMany: async () => {
        if (fails) throw new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, new Error("the disk is full"));
        return { sessions: 1, next: null };
      },
    },
  });
  const call = {
    request: {
      ...{ method: "POST", path, query: "", peer: "", hasBody: true },
      header: (name: string) => (name === "content-type" ? "application/x-www-form-urlencoded" : null),
      body: async () => Buffer.from("logout_token=token"),
      onEnd: () => undefined,
    },
    principal: { role: "reporter", customerId: null, agentId: null },
    sessionId: "",
    parameters: {},
  } as const;
  await assert.rejects(handle(call), { message: "unavailable" });
  fails = false;
  assert.equal((await handle(call)).status, 200);
  await assert.rejects(handle(call), { message: "invalid-request" });
});
