// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectControl } from "../../src/control/client.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { apiOf, holders, serveKeys } from "../support/key-holders.ts";
import { exchange, requestText } from "../support/raw-http.ts";
import { DAY, HOUR } from "../support/sessions.ts";

const keys = {
  ...holders,
  expired: keyFor({}, { expiresAt: Date.now() - 1 }),
  revoked: keyFor({}, { revokedAt: Date.now() - 1 }),
  soon: keyFor({}, { expiresAt: Date.now() + DAY }),
};
type Person = keyof typeof keys;

let server: TestServer;
before(async () => {
  server = await serveKeys(keys, { basePaths: [{ path: "/v1", dialect: "8.5.0" }] });
});
after(() => server[Symbol.asyncDispose]());

const api = (person: Person): Api => apiOf(server, keys[person]);
const customer = (id: string) => ({ headers: { gkc_customerId: id } });
const agent = (id: string) => ({ headers: { gkc_agentId: id } });

test("every operation without a credential is refused with 401", async () => {
  for (const [method, path] of [
    ["PUT", "/sessions/new"],
    ["GET", "/sessions/x"],
    ["POST", "/sessions/x"],
    ["PUT", "/v1/sessions/new/"],
    ["GET", "/metrics"],
  ] as const) {
    for (const headers of [{}, { authorization: "" }]) {
      const answer = await createApi(server.url).call(method, path, { headers });
      problemOf(answer, 401, "credential-required");
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    }
  }
});

test("every wrong credential gets the same response", async () => {
  const good = keys.alice.bearer.slice("Bearer ".length);
  const wrong = [
    keys.expired.bearer,
    keys.revoked.bearer,
    "Bearer ak_unknown",
    "Bearer",
    "Bearer  ",
    `Bearer ${good.slice(0, -1)}`,
    `Bearer ${good}x`,
    `Bearer ${good} ${good}`,
    `Bearer ${good.toUpperCase()}`,
    `Basic ${btoa(`alice:${good}`)}`,
    `Token ${good}`,
    good,
    `Bearer ${keys.alice.key.hash}`,
    `Bearer ${keys.alice.key.id}`,
    `Bearer ${"x".repeat(5000)}`,
    "Bearer __proto__",
  ];
  const bodies = new Set<string>();
  for (const authorization of wrong) {
    for (const [method, path] of [
      ["PUT", "/sessions/new"],
      ["GET", "/sessions/x"],
      ["POST", "/sessions/x"],
    ] as const) {
      const answer = await createApi(server.url, { authorization }).call(method, path);
      problemOf(answer, 401, "invalid-credential");
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
      bodies.add(answer.text.replace(answer.headers.get("x-request-id") ?? "", ""));
    }
  }
  assert.equal(bodies.size, 1, [...bodies].join("\n"));
});

test("a key may be sent in x-api-key", async () => {
  const secret = keys.alice.bearer.slice("Bearer ".length);
  const alice = createApi(server.url, { "x-api-key": secret });
  const { sessionId } = sessionOf(await alice.create(customer("alice")));
  assert.equal(sessionOf(await alice.retrieve(sessionId)).customerId, "alice");
  problemOf(await alice.create(customer("bob")), 403, "identity-mismatch");
  assert.equal(sessionOf(await api("alice").retrieve(sessionId)).sessionId, sessionId);
});

test("a wrong key in x-api-key is refused like one in Authorization", async () => {
  const good = keys.alice.bearer.slice("Bearer ".length);
  const old = [keys.expired.bearer, keys.revoked.bearer].map((bearer) => bearer.slice(7));
  for (const key of [...old, "ak_unknown", `Bearer ${good}`, `${good}x`, `${good}, ${good}`]) {
    const answer = await createApi(server.url, { "x-api-key": key }).create();
    problemOf(answer, 401, "invalid-credential");
  }
  problemOf(await createApi(server.url, { "x-api-key": "" }).create(), 401, "credential-required");
});

test("a request with both Authorization and x-api-key is refused, even if both have the same key", async () => {
  const good = keys.alice.bearer.slice("Bearer ".length);
  for (const [authorization, key] of [
    [keys.alice.bearer, good],
    [keys.alice.bearer, "another"],
    ["Basic YTpi", good],
  ] as const) {
    const both = createApi(server.url, { authorization, "x-api-key": key });
    const problem = problemOf(await both.create(), 400, "invalid-request");
    assert.deepEqual(
      problem.errors?.map(({ name }) => name),
      ["x-api-key"],
    );
  }
  const empty = { authorization: keys.alice.bearer, "x-api-key": "" };
  sessionOf(await createApi(server.url, empty).create());
});

test("/forward-auth ignores x-api-key, which the proxy forwards from its client", async () => {
  const proxy = { authorization: keys.administrator.bearer };
  const ofClient = { "x-api-key": keys.alice.bearer.slice("Bearer ".length) };
  const asked = await createApi(server.url, { ...proxy, ...ofClient }).call("GET", "/forward-auth");
  assert.equal(asked.status, 200, asked.text);
  const alone = await createApi(server.url, ofClient).call("GET", "/forward-auth");
  problemOf(alone, 401, "credential-required");
});

test("a request with two credentials is refused", async () => {
  const headers = [`Authorization: ${keys.alice.bearer}`, `Authorization: ${keys.bob.bearer}`];
  const answer = await exchange(server.port, requestText("PUT /sessions/new", headers));
  assert.ok([400, 401].includes(answer.status), answer.body);
});

test("the name of the authentication scheme may be written in any case", async () => {
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    const authorization = keys.alice.bearer.replace("Bearer", scheme);
    sessionOf(await createApi(server.url, { authorization }).create());
  }
});

/** Whether each caller may assert these ids (contract.md#assertions). */
const assertions: [Person, Record<string, string>, boolean][] = [
  ["alice", {}, true],
  ["alice", { gkc_customerId: "alice" }, true],
  ["alice", { "gkc-customerId": "alice" }, true],
  ["alice", { gkc_customerId: "bob" }, false],
  ["alice", { "gkc-customerId": "bob" }, false],
  ["alice", { gkc_agentId: "7" }, false],
  ["page", {}, true],
  ["page", { gkc_customerId: "alice" }, false],
  ["page", { gkc_agentId: "7" }, false],
  ["agent", { gkc_agentId: "7", gkc_customerId: "alice" }, true],
  ["agent", { gkc_agentId: "8" }, false],
  ["reporter", {}, true],
  ["reporter", { gkc_customerId: "alice" }, false],
  ["reporter", { "gkc-agentId": "7" }, false],
  ["administrator", { gkc_agentId: "8", gkc_customerId: "bob" }, true],
  ["soon", {}, true],
];
for (const [person, headers, allowed] of assertions) {
  test(`${person} asserting ${JSON.stringify(headers)} is ${allowed ? "allowed" : "refused"}`, async () => {
    const { sessionId } = sessionOf(await api(person).create());
    const answers = [
      await api(person).create({ headers }),
      await api(person).retrieve(sessionId, { headers }),
      await api(person).retrieve("unknown", { headers }),
      await api(person).update(sessionId, { headers, json: { globalVisitId: "g" } }),
    ];
    for (const answer of answers) {
      if (allowed) sessionOf(answer);
      else problemOf(answer, 403, "identity-mismatch");
    }
    if (!allowed) {
      const { customerId, agentId, globalVisitId } = sessionOf(await api(person).retrieve(sessionId));
      assert.deepEqual([customerId, agentId, globalVisitId], [null, null, null]);
    }
  });
}

/** Whether each caller may read and update a session of alice. */
const reach: [Person, boolean, boolean][] = [
  ["alice", true, true],
  ["bob", false, false],
  ["page", false, false],
  ["agent", true, true],
  ["reporter", true, false],
  ["administrator", true, true],
];
for (const [person, reads, updates] of reach) {
  test(`${person} ${reads ? "reads" : "does not read"} and ${updates ? "updates" : "does not update"} alice's session`, async () => {
    const { sessionId } = sessionOf(await api("alice").create(customer("alice")));
    const found = sessionOf(await api(person).retrieve(sessionId));
    assert.equal(found.sessionId === sessionId, reads);
    assert.equal(found.customerId === "alice", reads);
    const head = await api(person).call("HEAD", `/sessions/${sessionId}`);
    assert.equal(head.status, reads ? 200 : 404);
    const update = await api(person).update(sessionId, { json: { globalVisitId: "g" } });
    if (updates) assert.equal(sessionOf(update).globalVisitId, "g");
    else problemOf(update, 404, "session-not-found");
  });
}

test("a session without a customer may be associated with the customer who signs in", async () => {
  const { sessionId } = sessionOf(await api("page").create({ json: { globalVisitId: "g" } }));
  const session = sessionOf(await api("alice").update(sessionId, customer("alice")));
  assert.equal(session.sessionId, sessionId);
  assert.notEqual(sessionOf(await api("page").retrieve(sessionId)).sessionId, sessionId);
  problemOf(await api("bob").update(sessionId, customer("bob")), 404, "session-not-found");
});

test("an agent who names a customer can access only that customer's sessions (contract.md#rule-4)", async () => {
  const { sessionId } = sessionOf(await api("alice").create(customer("alice")));
  assert.equal(sessionOf(await api("agent").retrieve(sessionId, customer("alice"))).sessionId, sessionId);
  const other = sessionOf(await api("agent").retrieve(sessionId, customer("bob")));
  assert.notEqual(other.sessionId, sessionId);
  assert.equal(other.customerId, "bob");
});

test("only callers who may access a session learn of a conflict with its agent", async () => {
  const { sessionId } = sessionOf(await api("agent").create(agent("7")));
  await api("alice").update(sessionId, customer("alice"));
  const conflict = await api("administrator").update(sessionId, agent("8"));
  assert.equal(problemOf(conflict, 400, "already-exists").field, "agentId");
  problemOf(await api("bob").update(sessionId, customer("bob")), 404, "session-not-found");
});

test("only reporters and administrators may read the metrics", async () => {
  for (const person of ["reporter", "administrator"] as const) {
    assert.equal((await api(person).call("GET", "/metrics")).status, 200);
  }
  for (const person of ["alice", "page", "agent", "service"] as const) {
    problemOf(await api(person).call("GET", "/metrics"), 403, "role-not-permitted");
  }
});

test("probes and documents need no key", async () => {
  for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs"]) {
    const { status } = await createApi(server.url).call("GET", path);
    assert.ok(status < 400, `${path}: ${status}`);
  }
});

test("unknown paths and methods get 404 and 405 even without a key", async () => {
  problemOf(await createApi(server.url).call("GET", "/nowhere"), 404, "not-found");
  problemOf(await createApi(server.url).call("PATCH", "/sessions/x"), 405, "method-not-allowed");
});

test("a key that expires while the server runs is refused from then on", async () => {
  const short = keyFor({}, { expiresAt: Date.now() + HOUR });
  await using own = await serve({ frozen: true, config: { auth: "key" }, keys: [short.key] });
  const mine = createApi(own.url, { authorization: short.bearer });
  sessionOf(await mine.create());
  own.pass(HOUR - 60_000);
  sessionOf(await mine.create());
  own.pass(60_000);
  problemOf(await mine.create(), 401, "invalid-credential");
});

test("when the wall clock is corrected after a jump, keys are valid again, even across a restart", async () => {
  const day = keyFor({}, { expiresAt: Date.now() + DAY });
  await using own = await serve({ frozen: true, config: { auth: "key" }, keys: [day.key] });
  const mine = () => createApi(own.url, { authorization: day.bearer });
  const { sessionId } = sessionOf(await mine().create({ headers: { gkc_customerId: "c" } }));
  own.step(2 * DAY);
  problemOf(await mine().create(), 401, "invalid-credential");
  // For a key that the command line creates, the lifetime also begins at the time of the server's wall clock.
  const admin = await connectControl(own.dataDir);
  const request = { name: null, role: "reporter", customerId: null, agentId: null, validFor: HOUR } as const;
  const made = await admin?.createKey(request);
  assert.equal(made?.info.expiresAt, own.now() + HOUR);
  await own.restart();
  problemOf(await mine().create(), 401, "invalid-credential");
  own.step(-2 * DAY);
  for (const when of ["at once", "after a restart"]) {
    sessionOf(await mine().create());
    // The jump of the clock made the session expire, and it stays expired.
    assert.notEqual(sessionOf(await mine().retrieve(sessionId)).sessionId, sessionId, when);
    await own.restart();
  }
});
