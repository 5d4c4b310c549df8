// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type AdministrationClient, createAdministration, type ProblemError } from "@antechamber/client/administration";
import type { CreatedApiKey } from "@antechamber/client/protocol";
import { createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { apiOf, type Holder, holders, serveKeys } from "../support/key-holders.ts";
import { DAY, HOUR } from "../support/sessions.ts";

let server: TestServer;
before(async () => {
  server = await serveKeys(holders);
});
after(() => server[Symbol.asyncDispose]());

const as = (person: Holder) => apiOf(server, holders[person]);
const keyOf = ({ bearer }: (typeof holders)[Holder]) => bearer.replace("Bearer ", "");
const admin = () => createAdministration({ url: server.url, key: keyOf(holders.administrator) });
const statusOf = async (key: string) =>
  (await createApi(server.url, { authorization: `Bearer ${key}` }).create()).status;

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a key that an administrator creates works at once, and its secret is shown only then", async () => {
  const answer = await as("administrator").call("POST", "/api-keys", { json: { role: "service", name: "Till 4" } });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const created = JSON.parse(answer.text) as CreatedApiKey;
  assert.equal(await statusOf(created.key), 200);
  const listed = await as("administrator").call("GET", "/api-keys?limit=1000");
  assert.ok(listed.text.includes(created.id));
  assert.ok(!listed.text.includes(created.key));
  assert.ok(!server.log().includes(created.key));
  const { key: _key, ...info } = created;
  const found = (await allOf(admin().keys.list())).find(({ id }) => id === created.id);
  assert.deepEqual({ ...found, lastUsedAt: null }, info);
});

test("faults of a request for a key are reported together, each with its member", async () => {
  const wrong = { role: "root", name: 7, expiresAt: "tomorrow" };
  const { errors } = problemOf(await as("administrator").call("POST", "/api-keys", { json: wrong }), 400);
  assert.deepEqual(errors?.map(({ name }) => name).toSorted(), ["expiresAt", "name", "role"]);
  for (const [json, name] of [
    [{ role: "service", customerId: "one" }, "customerId"],
    [{ role: "customer", agentId: "7" }, "agentId"],
    [{ role: "agent", agentId: "" }, "agentId"],
    [{ role: "agent", agent: "7" }, "agent"],
    [{ role: "agent", name: " space" }, "name"],
    [{ role: "agent", expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
  ] as const) {
    const problem = problemOf(await as("administrator").call("POST", "/api-keys", { json }), 400, "invalid-request");
    assert.deepEqual(
      problem.errors?.map((fault) => [fault.in, fault.name]),
      [["body", name]],
    );
  }
  const rotation = { json: { graceSecond: 0 } };
  problemOf(
    await as("administrator").call("POST", "/api-keys/k_000000000000/rotate", rotation),
    400,
    "invalid-request",
  );
});

test("a rotated key is valid until its grace is over, and cannot be rotated again", async () => {
  await using own = await serveKeys({ administrator: holders.administrator });
  const calls = createAdministration({ url: own.url, key: keyOf(holders.administrator) });
  const expiresAt = new Date(own.now() + DAY).toISOString();
  const first = await calls.keys.create({ role: "reporter", name: "Graphs", expiresAt });
  assert.equal(first.expiresAt, expiresAt);
  const { replaced, ...second } = await calls.keys.rotate(first.id, { graceSeconds: 3600 });
  assert.equal(replaced.id, first.id);
  assert.equal(replaced.successorId, second.id);
  assert.deepEqual([second.name, second.role], ["Graphs", "reporter"]);
  const works = async (key: string) =>
    (await createApi(own.url, { authorization: `Bearer ${key}` }).call("GET", "/metrics")).status === 200;
  assert.deepEqual([await works(first.key), await works(second.key)], [true, true]);
  await assert.rejects(calls.keys.rotate(first.id), (problem: ProblemError) => {
    assert.equal(problem.code, "invalid-request");
    return problem.message.includes(second.id);
  });
  own.pass(HOUR + 1000);
  assert.deepEqual([await works(first.key), await works(second.key)], [false, true]);
});

test("a revoked key is refused at once, and a warning says when no administrator is left", async () => {
  await using own = await serveKeys({ administrator: holders.administrator });
  const calls = createAdministration({ url: own.url, key: keyOf(holders.administrator) });
  const other = await calls.keys.create({ role: "administrator" });
  assert.equal((await calls.keys.revoke(other.id)).warning, null);
  await assert.rejects(createAdministration({ url: own.url, key: other.key }).health(), { code: "invalid-credential" });
  const { status, warning } = await calls.keys.revoke(holders.administrator.key.id);
  assert.equal(status, "revoked");
  assert.match(warning ?? "", /antechamber keys create --role administrator/);
});

test("every operation on an unknown key is refused with not-found", async () => {
  for (const id of ["k_000000000000", "ak_secret", "a%2Fb"]) {
    problemOf(await as("administrator").call("POST", `/api-keys/${id}/rotate`), 404, "not-found");
    problemOf(await as("administrator").call("DELETE", `/api-keys/${id}`), 404, "not-found");
  }
});

test("the pages of the list of keys contain each key once", async () => {
  const whole = await admin().keys.page({ limit: 1000 });
  assert.equal(whole.next, null);
  assert.equal(whole.areUsed, true);
  const inPages = await allOf(admin().keys.list({ limit: 2 }));
  assert.deepEqual(
    inPages.map(({ id }) => id),
    whole.keys.map(({ id }) => id),
  );
  assert.ok(inPages.length >= 7);
  const valid = await admin().keys.page({ status: "valid" });
  assert.ok(valid.keys.every(({ status }) => status === "valid"));
});

test("the audit trail is found by who, what, when, customer and session", async () => {
  await using own = await serveKeys(holders);
  const of = (person: Holder) => apiOf(own, holders[person]);
  const calls = createAdministration({ url: own.url, key: keyOf(holders.administrator) });
  const { sessionId } = sessionOf(await of("agent").create({ headers: { gkc_customerId: "one" } }));
  await of("service").call("DELETE", `/sessions/${sessionId}`);
  own.pass(HOUR);
  const later = new Date(own.now()).toISOString();
  await of("administrator").call("DELETE", "/customers/one");
  await calls.keys.create({ role: "reporter" });
  const found = async (filter: Parameters<AdministrationClient["audit"]>[0]) =>
    (await allOf(calls.audit(filter))).map(({ what, outcome }) => `${what} ${outcome}`);
  const erased = ["customer.erase done", "customer.erase begun"];
  assert.deepEqual(await found({}), ["key.create done", ...erased, "session.end done"]);
  assert.deepEqual(await found({ actor: "Shop server" }), ["session.end done"]);
  assert.deepEqual(await found({ actor: holders.service.key.id }), ["session.end done"]);
  assert.deepEqual(await found({ action: "customer.erase" }), erased);
  assert.deepEqual(await found({ action: "customer" }), erased);
  assert.deepEqual(await found({ action: "cust" }), []);
  assert.deepEqual(await found({ since: later }), ["key.create done", ...erased]);
  assert.deepEqual(await found({ until: later }), ["session.end done"]);
  assert.deepEqual(await found({ customerId: "one" }), erased);
  assert.deepEqual(await found({ session: sessionId }), ["session.end done"]);
  assert.deepEqual(await found({ session: sessionId.slice(0, 24), limit: 1 }), ["session.end done"]);
  assert.deepEqual(await found({ limit: 1 }), ["key.create done", ...erased, "session.end done"]);
});

test("a misspelt or empty filter of the audit trail is refused, since it would show everything", async () => {
  for (const query of ["who=anna", "actor=", "since=yesterday", "actor=a&actor=b", "customerId=", "limit=0"]) {
    problemOf(await as("administrator").call("GET", `/audit?${query}`), 400, "invalid-request");
  }
});

test("a check of the audit trail returns its last hash, and says whether an expected one is in it", async () => {
  const { entries, hash, faultCount, isExpectedFound } = await admin().verifyAudit();
  assert.ok(entries > 0);
  assert.deepEqual([faultCount, isExpectedFound], [0, null]);
  await admin().keys.create({ role: "reporter" });
  const seen: number[] = [];
  const again = await admin().verifyAudit({ expect: hash ?? "", onProgress: (count) => seen.push(count) });
  assert.deepEqual([again.entries, again.isExpectedFound, seen], [entries + 1, true, [entries + 1]]);
  assert.equal((await admin().verifyAudit({ expect: "0".repeat(64) })).isExpectedFound, false);
});

test("a check that continues after an entry finds that this entry was changed or removed", async () => {
  const { entries } = await admin().verifyAudit();
  const faultsAfter = async (sequence: number) => {
    const { text } = await as("administrator").call("GET", `/audit/verify?after=${sequence}.${"0".repeat(64)}`);
    return (JSON.parse(text) as { faults: unknown }).faults;
  };
  assert.deepEqual(await faultsAfter(1), [
    { sequence: 1, fault: "changed" },
    { sequence: 2, fault: "not-linked" },
  ]);
  assert.deepEqual(await faultsAfter(entries), [{ sequence: entries, fault: "changed" }]);
  assert.deepEqual(await faultsAfter(entries + 100), [{ sequence: entries + 100, fault: "out-of-order" }]);
});

test("administrators see every setting with its source, and no secret", async () => {
  const settings = await admin().configuration();
  const port = settings.find(({ name }) => name === "port");
  assert.deepEqual([port?.value, port?.source, port?.from], [8080, "default", "default"]);
  assert.ok(settings.length > 60);
  assert.ok(settings.every(({ description }) => description !== ""));
});

test("administrators see the version and the state of the store", async () => {
  const { status, version, runtime, auth, store } = await admin().health();
  assert.deepEqual([status, auth, store.engine, store.isWritable], ["ok", "key", "sqlite", true]);
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.match(runtime, /^(?:bun|node) \d/);
});

test("with auditReads the trail says who read which timeline, and never that customers read their own", async () => {
  await using own = await serveKeys(holders, { auditReads: true });
  const of = (person: Holder) => apiOf(own, holders[person]);
  const { sessionId } = sessionOf(await of("alice").create({ headers: { gkc_customerId: "alice" } }));
  const handle = sessionId.slice(0, 24);
  await of("alice").call("GET", `/sessions/${sessionId}/requests`);
  await of("agent").call("GET", `/sessions/${handle}/requests`);
  await of("reporter").call("GET", `/sessions/${"A".repeat(24)}/requests`);
  const calls = createAdministration({ url: own.url, key: keyOf(holders.administrator) });
  const reads = await allOf(calls.audit({ action: "timeline.read" }));
  assert.deepEqual(
    reads.map(({ who, details }) => [who.agentId, details["session"]]),
    [["7", handle]],
  );
});

test("with auditReads the trail says who read which data, and never that an application or a customer read them", async () => {
  await using own = await serveKeys(holders, { auditReads: true });
  const of = (person: Holder) => apiOf(own, holders[person]);
  const { sessionId } = sessionOf(await of("alice").create({ headers: { gkc_customerId: "alice" } }));
  const handle = sessionId.slice(0, 24);
  const include = `/sessions/${sessionId}?include=data`;
  const patch = { headers: { "content-type": "application/merge-patch+json" }, json: { cart: 1 } };
  const reads: readonly (readonly [Holder, string, string, typeof patch?])[] = [
    ["alice", "GET", `/sessions/${sessionId}/data`],
    ["alice", "GET", include],
    ["service", "GET", `/sessions/${sessionId}/data`],
    ["service", "GET", include],
    ["service", "PATCH", `/sessions/${sessionId}/data`, patch],
    ["service", "GET", `/sessions/${handle}/data`],
    ["agent", "GET", `/sessions/${handle}/data`],
    ["agent", "PATCH", `/sessions/${sessionId}/data`, patch],
    ["reporter", "GET", include],
    ["administrator", "GET", `/sessions/${handle}/data`],
  ];
  for (const [person, method, path, options] of reads) {
    const { status, text } = await of(person).call(method, path, options);
    assert.equal(status, 200, `${person} ${method} ${path}: ${text}`);
  }
  await of("reporter").call("GET", `/sessions/${"A".repeat(24)}/data`);
  const calls = createAdministration({ url: own.url, key: keyOf(holders.administrator) });
  const entries = await allOf(calls.audit({ action: "data.read" }));
  assert.deepEqual(
    entries.map(({ who, details }) => [who.role, details["session"]]),
    ["administrator", "reporter", "agent", "agent", "service"].map((role) => [role, handle]),
  );
});

test("in mode local everybody is an administrator", async () => {
  await using own = await serve();
  const calls = createAdministration({ url: own.url });
  const { id } = await calls.keys.create({ role: "service" });
  assert.equal((await calls.keys.revoke(id)).warning, null);
  assert.equal((await calls.keys.page()).areUsed, false);
  assert.equal((await calls.health()).auth, "local");
});
