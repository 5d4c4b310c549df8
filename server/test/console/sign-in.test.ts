// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AuditPage, ConsoleSessionInfo } from "@antechamber/client/protocol";
import { type AddressRange, parseRange } from "../../src/network/addresses.ts";
import { type Answer, createApi, problemOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { startIssuer } from "../support/issuer.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { exchange, requestText } from "../support/raw-http.ts";
import { HOUR, MINUTE } from "../support/sessions.ts";

let server: TestServer;
before(async () => {
  server = await serveKeys(holders, { console: true });
});
after(() => server[Symbol.asyncDispose]());

const secretOf = (person: Holder) => holders[person].bearer.replace("Bearer ", "");
const ofConsole = { "antechamber-console": "1" };
const https = { "x-forwarded-proto": "https" };

function signIn(url: string, credential: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return createApi(url).call("POST", "/console/sign-in", {
    headers: { ...ofConsole, ...headers },
    json: { credential },
  });
}

/** Returns the cookie in a response as browsers send it. */
function cookieOf({ headers }: Answer): string {
  return (headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

/** Returns the API as the console calls it with a cookie. */
const withCookie = (url: string, cookie: string, headers: Readonly<Record<string, string>> = {}) =>
  createApi(url, { ...ofConsole, cookie, ...headers });

async function whoIs(url: string, cookie: string, headers?: Readonly<Record<string, string>>) {
  const answer = await withCookie(url, cookie, headers).call("GET", "/console/viewer");
  assert.equal(answer.status, 200, answer.text);
  return { answer, info: JSON.parse(answer.text) as ConsoleSessionInfo };
}

test("an API key is exchanged for a cookie that scripts cannot read and other sites cannot use", async () => {
  const answer = await signIn(server.url, secretOf("administrator"), https);
  assert.equal(answer.status, 204, answer.text);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const cookie = answer.headers.get("set-cookie") ?? "";
  assert.match(cookie, /^__Host-antechamber-console=[\w-]+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  assert.ok(!cookie.includes(secretOf("administrator")));
  const { info } = await whoIs(server.url, cookieOf(answer), https);
  assert.ok(info.isSignedIn);
  assert.deepEqual([info.role, info.signIn, info.idleSeconds], ["administrator", "key", 1800]);
  assert.ok(info.may.includes("administer"));
  assert.equal((await withCookie(server.url, cookieOf(answer), https).call("GET", "/api-keys")).status, 200);
});

test("each role is shown what it may do, and the API refuses the rest", async () => {
  for (const [person, may, audit] of [
    ["agent", ["end"], 403],
    ["service", ["end", "events", "statistics", "view-tokens"], 403],
    ["reporter", ["events", "statistics"], 403],
    ["administrator", ["end", "end-all", "events", "statistics", "view-tokens", "administer"], 200],
  ] as const) {
    const cookie = cookieOf(await signIn(server.url, secretOf(person)));
    const { info } = await whoIs(server.url, cookie);
    assert.deepEqual(info.isSignedIn && [info.role, info.may], [person, may]);
    assert.equal((await withCookie(server.url, cookie).call("GET", "/audit")).status, audit);
  }
});

test("customers may not sign in to the console, and all unknown keys get the same response", async () => {
  problemOf(await signIn(server.url, secretOf("alice")), 403, "role-not-permitted");
  problemOf(await signIn(server.url, secretOf("page")), 403, "role-not-permitted");
  const texts = new Set<string>();
  for (const wrong of ["ak_unknown", "k", holders.administrator.key.id, holders.administrator.key.hash]) {
    const answer = await signIn(server.url, wrong);
    const { requestId: _id, ...problem } = problemOf(answer, 401, "invalid-credential");
    texts.add(JSON.stringify(problem));
    assert.equal(answer.headers.get("set-cookie"), null);
  }
  assert.equal(texts.size, 1);
  for (const json of [{}, { credential: 7 }, { credential: "a b" }, { credential: "a\r\nset-cookie: b=c" }]) {
    problemOf(await createApi(server.url).call("POST", "/console/sign-in", { headers: ofConsole, json }), 400);
  }
});

test("over plain http only this machine's own names get a cookie, under a name of its own", async () => {
  const answer = await signIn(server.url, secretOf("agent"));
  assert.match(
    answer.headers.get("set-cookie") ?? "",
    /^antechamber-console=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  // The cookie of plain http does not count over https, where a neighbour could have planted it.
  assert.equal((await whoIs(server.url, cookieOf(answer), https)).info.isSignedIn, false);
  // Over plain http on another machine, somebody in the network could have planted it.
  const lines = ["antechamber-console: 1", `Cookie: ${cookieOf(answer)}`];
  const text = requestText("GET /console/viewer", lines);
  assert.match((await exchange(server.port, text)).body, /"isSignedIn":true/);
  const elsewhere = text.replace("Host: localhost", "Host: sessions.example");
  assert.match((await exchange(server.port, elsewhere)).body, /"isSignedIn":false/);
  await using other = await serveKeys(holders, { console: true, consoleUrl: "https://sessions.example/console" });
  assert.match(cookieOf(await signIn(other.url, secretOf("agent"))), /^__Host-/);
});

test("the cookie counts only in requests that the console itself sends", async () => {
  const cookie = cookieOf(await signIn(server.url, secretOf("administrator")));
  const status = async (headers: Record<string, string>, method = "GET", path = "/api-keys") =>
    (await createApi(server.url, { cookie, ...headers }).call(method, path)).status;
  assert.equal(await status(ofConsole), 200);
  assert.equal(await status({ ...ofConsole, "sec-fetch-site": "same-origin" }), 200);
  for (const foreign of [
    {},
    { ...ofConsole, "sec-fetch-site": "cross-site" },
    { ...ofConsole, "sec-fetch-site": "same-site" },
    { ...ofConsole, "sec-fetch-site": "none" },
  ]) {
    assert.equal(await status(foreign), 401);
    assert.equal(await status(foreign, "PUT", "/sessions/new"), 401);
    assert.equal(await status(foreign, "DELETE", `/api-keys/${holders.agent.key.id}`), 401);
  }
  // Other sites cannot sign anybody in or out either.
  for (const path of ["/console/sign-in", "/console/sign-out"]) {
    const json = { credential: secretOf("administrator") };
    problemOf(await createApi(server.url, { cookie }).call("POST", path, { json }), 400, "invalid-request");
  }
});

test("a preflight of another origin never permits the console's header", async () => {
  await using own = await serveKeys(holders, { console: true, corsOrigins: ["https://shop.example"] });
  const headers = {
    origin: "https://shop.example",
    "access-control-request-method": "GET",
    "access-control-request-headers": "antechamber-console",
  };
  const answer = await createApi(own.url).call("OPTIONS", "/audit", { headers });
  assert.doesNotMatch(answer.headers.get("access-control-allow-headers") ?? "", /antechamber-console|\*/i);
  assert.equal(answer.headers.get("access-control-allow-credentials"), null);
});

test("a revoked key ends its sign-ins at once", async () => {
  const admin = apiOf(server, holders.administrator);
  const created = JSON.parse((await admin.call("POST", "/api-keys", { json: { role: "reporter" } })).text) as {
    id: string;
    key: string;
  };
  const cookie = cookieOf(await signIn(server.url, created.key));
  assert.equal((await whoIs(server.url, cookie)).info.isSignedIn, true);
  await admin.call("DELETE", `/api-keys/${created.id}`);
  assert.equal((await whoIs(server.url, cookie)).info.isSignedIn, false);
  problemOf(await withCookie(server.url, cookie).call("GET", "/sessions"), 401);
});

test("after a sign-out a copy of the cookie is refused, also a renewed one", async () => {
  await using own = await serveKeys(holders, { console: true });
  const first = cookieOf(await signIn(own.url, secretOf("agent")));
  own.pass(2 * MINUTE);
  const renewed = cookieOf((await whoIs(own.url, first)).answer);
  assert.notEqual(renewed, "");
  const answer = await withCookie(own.url, renewed).call("POST", "/console/sign-out");
  assert.equal(answer.status, 204);
  assert.match(answer.headers.get("set-cookie") ?? "", /^antechamber-console=;.*Max-Age=0/);
  const other = cookieOf(await signIn(own.url, secretOf("agent")));
  for (const copy of [first, renewed]) assert.equal((await whoIs(own.url, copy)).info.isSignedIn, false);
  await own.restart();
  for (const copy of [first, renewed]) assert.equal((await whoIs(own.url, copy)).info.isSignedIn, false);
  assert.equal((await whoIs(own.url, other)).info.isSignedIn, true);
});

onEachEngine(({ name: engine, test: testWith, empty }) => {
  if (engine !== "Redis") return;
  testWith("a sign-out in one process is noticed by the others", async () => {
    const config = { ...(await empty()), console: true };
    await using one = await serveKeys(holders, config);
    await using two = await serve({ config: { ...config, auth: "key" } });
    const cookie = cookieOf(await signIn(one.url, secretOf("agent")));
    assert.equal((await whoIs(two.url, cookie)).info.isSignedIn, true);
    assert.equal((await withCookie(one.url, cookie).call("POST", "/console/sign-out")).status, 204);
    await until("the other process has noticed", async () => !(await whoIs(two.url, cookie)).info.isSignedIn);
  });
});

test("a sign-in ends after 30 minutes without use, and after 8 hours in any case", async () => {
  await using own = await serveKeys(holders, { console: true });
  let cookie = cookieOf(await signIn(own.url, secretOf("agent")));
  assert.equal((await whoIs(own.url, cookie)).answer.headers.get("set-cookie"), null);
  own.pass(29 * MINUTE);
  const { answer, info } = await whoIs(own.url, cookie);
  assert.equal(info.isSignedIn, true);
  const idle = cookie;
  for (cookie = cookieOf(answer); own.now() < Date.parse(info.isSignedIn ? (info.endsAt ?? "") : "") - 30 * MINUTE; ) {
    own.pass(29 * MINUTE);
    cookie = cookieOf((await whoIs(own.url, cookie)).answer);
    assert.notEqual(cookie, "");
  }
  assert.equal((await whoIs(own.url, idle)).info.isSignedIn, false);
  own.pass(HOUR / 2);
  assert.equal((await whoIs(own.url, cookie)).info.isSignedIn, false);
});

test("a restart signs nobody out, and a cookie that was changed or made up opens nothing", async () => {
  await using own = await serveKeys(holders, { console: true });
  const cookie = cookieOf(await signIn(own.url, secretOf("agent")));
  await own.restart();
  assert.equal((await whoIs(own.url, cookie)).info.isSignedIn, true);
  const [name = "", value = ""] = cookie.split("=");
  const [text = "", signature = ""] = value.split(".");
  const content = JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;
  const raised = { ...content, keyId: null, as: { role: "administrator", agentId: null } };
  const forged = Buffer.from(JSON.stringify(raised)).toString("base64url");
  for (const wrong of [
    `${forged}.${signature}`,
    `${text}.${"A".repeat(43)}`,
    text,
    "",
    `${value}x`,
    "a".repeat(9000),
  ]) {
    assert.equal((await whoIs(own.url, `${name}=${wrong}`)).info.isSignedIn, false);
  }
  // A planted cookie beside the real one does not sign anybody out.
  assert.equal((await whoIs(own.url, `${name}=planted; ${cookie}`)).info.isSignedIn, true);
});

test("a cookie of a neighbouring domain cannot pass for the console's own, whatever its name looks like", async () => {
  const own = cookieOf(await signIn(server.url, secretOf("administrator"), https));
  const planted = cookieOf(await signIn(server.url, secretOf("agent"), https));
  for (const name of ["\u00a0", "\u00c2\u00a0", "x", "x,", ".", "=", "a=", '"']) {
    for (const ahead of ["x=1; ", "x=1;", "x=1;\t", ""]) {
      const { info } = await whoIs(server.url, `${ahead}${name}${planted}; ${own}`, https);
      assert.equal(info.isSignedIn && info.role, "administrator", JSON.stringify(ahead + name));
      assert.equal((await whoIs(server.url, `${ahead}${name}${planted}`, https)).info.isSignedIn, false);
    }
  }
});

test("sign-ins and sign-outs are in the audit trail with the key", async () => {
  const cookie = cookieOf(await signIn(server.url, secretOf("service")));
  await withCookie(server.url, cookie).call("POST", "/console/sign-out");
  const page = await apiOf(server, holders.administrator).call(
    "GET",
    "/audit?action=console&actor=Shop+server&limit=2",
  );
  const { entries } = JSON.parse(page.text) as AuditPage;
  assert.deepEqual(
    entries.map(({ what, outcome }) => `${what} ${outcome}`),
    ["console.sign-out done", "console.sign-in done"],
  );
});

test("in mode jwt a pasted token signs in until it expires", async () => {
  await using issuer = await startIssuer();
  await using own = await serve({ config: { auth: "jwt", tokens: issuer.config, console: true } });
  const token = await issuer.token({ role: "agent", agentId: "7", exp: Math.floor(own.now() / 1000) + 600 });
  const cookie = cookieOf(await signIn(own.url, token));
  const { info } = await whoIs(own.url, cookie);
  assert.deepEqual(info.isSignedIn && [info.role, info.agentId, info.signIn], ["agent", "7", "token"]);
  own.pass(11 * MINUTE);
  assert.equal((await whoIs(own.url, cookie)).info.isSignedIn, false);
  problemOf(await signIn(own.url, "not.a.token"), 401, "invalid-credential");
});

test("in mode local everybody is at the console as an administrator, and there is no sign-in", async () => {
  await using own = await serve({ config: { console: true } });
  const { info } = await whoIs(own.url, "");
  assert.deepEqual(info.isSignedIn && [info.role, info.signIn, info.endsAt], ["administrator", "none", null]);
  problemOf(await signIn(own.url, "ak_x"), 404, "not-found");
});

test("in mode proxy the proxy says who is at the console, and there is no sign-in", async () => {
  const secret = "s".repeat(32);
  const trustedProxies = [parseRange("127.0.0.1") as AddressRange];
  await using own = await serve({ config: { auth: "proxy", proxySecret: secret, trustedProxies, console: true } });
  const vouched = (role: string) => ({ "antechamber-secret": secret, "antechamber-role": role });
  const { info } = await whoIs(own.url, "", vouched("reporter"));
  assert.deepEqual(info.isSignedIn && [info.role, info.signIn, info.endsAt], ["reporter", "proxy", null]);
  assert.deepEqual((await whoIs(own.url, "")).info, { isSignedIn: false, signIn: "proxy" });
  const asCustomer = createApi(own.url, { ...ofConsole, ...vouched("customer") });
  problemOf(await asCustomer.call("GET", "/console/viewer"), 403, "role-not-permitted");
  problemOf(await signIn(own.url, "ak_x"), 404, "not-found");
});

test("attempts to sign in count for the rate limit of the client's address", async () => {
  const requests = { count: 5, period: MINUTE };
  const trustedProxies = [parseRange("127.0.0.1") as AddressRange];
  const perAddress = { creates: undefined, misses: undefined, requests };
  await using own = await serveKeys(holders, { console: true, perAddress, trustedProxies });
  const client = { "x-forwarded-for": "192.0.2.1" };
  for (let i = 0; i < 5; i++) problemOf(await signIn(own.url, `ak_${i}`, client), 401);
  problemOf(await signIn(own.url, secretOf("agent"), client), 429, "too-many-requests");
  assert.equal((await signIn(own.url, secretOf("agent"), { "x-forwarded-for": "192.0.2.2" })).status, 204);
});

test("without the setting console there is no console and no sign-in", async () => {
  await using own = await serveKeys(holders);
  for (const path of ["/console", "/console/", "/console/viewer"]) {
    problemOf(await createApi(own.url).call("GET", path), 404, "not-found");
  }
  problemOf(await signIn(own.url, secretOf("administrator")), 404, "not-found");
});
