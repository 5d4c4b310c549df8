// runs: once

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { keyFor, serve, type TestServer } from "../support/in-process.ts";
import { exchange, requestText } from "../support/raw-http.ts";
import { acceptedOf, newSession, pageOf, pathsIn, post, requestsOf, visit, visits } from "../support/records.ts";
import { DAY, HOUR } from "../support/sessions.ts";

let server: TestServer;
let api: Api;
before(async () => {
  server = await serve();
  api = createApi(server.url);
});
after(() => server[Symbol.asyncDispose]());

const under = (key: string) => ({ "idempotency-key": key });
let keys = 0;
const freshKey = () => `key-${++keys}`;

/** Creates a session with an idempotency key, and with a customer if one is given. */
function create(calls: Api, key: string, customerId: string | undefined, json: unknown = {}) {
  const who: Record<string, string> = customerId === undefined ? {} : { gkc_customerId: customerId };
  return calls.create({ json, headers: { ...under(key), ...who } });
}

test("a repeated creation with the same key returns the same session", async () => {
  for (const [customerId, json] of [
    ["anna", {}],
    ["anna", { visitId: "v-repeated" }],
    [undefined, {}],
  ] as const) {
    const key = freshKey();
    const first = await create(api, key, customerId, json);
    const session = sessionOf(first);
    assert.equal(session.customerId, customerId ?? null);
    for (let i = 0; i < 3; i++) {
      const again = await create(api, key, customerId, json);
      assert.equal(again.text, first.text);
      sessionOf(again);
    }
    assert.deepEqual(sessionOf(await api.retrieve(session.sessionId)), session);
  }
});

test("repeated records with the same key are stored once", async () => {
  const id = await newSession(api);
  const key = freshKey();
  for (let i = 0; i < 3; i++) assert.equal(acceptedOf(await post(api, id, visits(5), under(key))), 5);
  acceptedOf(await post(api, id, visit("/6"), under(freshKey())));
  const page = await pageOf(api, id);
  assert.deepEqual(
    pathsIn(page.records),
    visits(6).map(({ path }) => path),
  );
});

test("a key with quotes and one without are the same key", async () => {
  const key = freshKey();
  const first = await create(api, key, "anna");
  assert.equal((await create(api, `"${key}"`, "anna")).text, first.text);
  assert.equal((await create(api, ` "${key}" `, "anna")).text, first.text);
  assert.notEqual((await create(api, `${key}x`, "anna")).text, first.text);
  assert.notEqual((await create(api, key.toUpperCase(), "anna")).text, first.text);
});

test("another request with the same key is refused, and changes nothing", async () => {
  const key = freshKey();
  const session = sessionOf(await create(api, key, "anna", { visitId: "v-other" }));
  for (const [customerId, json] of [
    ["bob", { visitId: "v-other" }],
    [undefined, { visitId: "v-other" }],
    ["anna", { visitId: "v-another" }],
    ["anna", {}],
    ["anna", { visitId: "v-other", globalVisitId: "g" }],
  ] as const) {
    const answer = await create(api, key, customerId, json);
    problemOf(answer, 422, "idempotency-key-reused");
    assert.equal(answer.text.includes(session.sessionId), false);
  }
  // This is the same request, only written differently, so it gets the stored response.
  const headers = { ...under(key), "gkc-customerId": "anna", "content-type": "application/json" };
  const body = '{ "unknown": 1, "visitId": "v-other", "globalVisitId": null }';
  assert.deepEqual(sessionOf(await api.create({ headers, body })), session);
});

test("other records, or another session, with the same key are refused", async () => {
  const [id, other] = [await newSession(api), await newSession(api)];
  const key = freshKey();
  acceptedOf(await post(api, id, visit("/1"), under(key)));
  problemOf(await post(api, id, visit("/2"), under(key)), 422, "idempotency-key-reused");
  problemOf(await post(api, other, visit("/1"), under(key)), 422, "idempotency-key-reused");
  assert.equal((await pageOf(api, id)).total, 1);
  assert.equal((await pageOf(api, other)).total, 0);
});

test("a creation and records may have the same key", async () => {
  const key = freshKey();
  const { sessionId } = sessionOf(await create(api, key, "anna"));
  acceptedOf(await post(api, sessionId, visit("/"), under(key)));
});

test("of many concurrent requests with one key, one is executed and the others are refused as in progress", async () => {
  const id = await newSession(api);
  for (const send of [
    (key: string) => create(api, key, "anna"),
    (key: string) => post(api, id, visits(3), under(key)),
  ]) {
    const key = freshKey();
    const answers: Answer[] = await Promise.all(Array.from({ length: 40 }, () => send(key)));
    const done = answers.filter(({ status }) => status === 200 || status === 202);
    assert.ok(done.length >= 1);
    assert.equal(new Set(done.map(({ text }) => text)).size, 1);
    for (const answer of answers.filter((one) => !done.includes(one))) {
      problemOf(answer, 409, "request-under-way");
      assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    }
    assert.ok(done.length < answers.length, "none met another under way");
  }
  assert.equal((await pageOf(api, id)).total, 3);
});

test("a refusal is not stored, so a later request with the same key can succeed", async () => {
  const holder = await newSession(api, { json: { visitId: "v-held" } });
  const key = freshKey();
  problemOf(await create(api, key, "anna", { visitId: "v-held" }), 400, "already-exists");
  problemOf(await create(api, key, "x".repeat(300)), 400, "invalid-request");
  problemOf(await post(api, holder, {}, under(key)), 400, "invalid-request");
  problemOf(await post(api, "x", visit("/"), under(key)), 404, "session-not-found");
  sessionOf(await create(api, key, "anna", { visitId: "v-free" }));
  acceptedOf(await post(api, holder, visit("/"), under(key)));
});

test("invalid keys are refused, and nothing is changed", async () => {
  const id = await newSession(api);
  for (const key of [
    '""',
    '"',
    'a"b',
    '"a',
    "a b",
    "a, b",
    "x".repeat(256),
    `"${"x".repeat(256)}"`,
    "\u00e9",
    '"a";p=1',
    "a\\b",
  ]) {
    for (const answer of [await create(api, key, "anna"), await post(api, id, visit("/"), under(key))]) {
      const { errors } = problemOf(answer, 400, "invalid-request");
      assert.deepEqual(
        errors?.map((fault) => [fault.in, fault.name]),
        [["header", "Idempotency-Key"]],
      );
    }
  }
  assert.equal((await pageOf(api, id)).total, 0);
  for (const key of ["x".repeat(255), `"${"y".repeat(255)}"`, '"a b"', "!#$%&'()*+,-./:;<=>?@"]) {
    sessionOf(await create(api, key, "anna"));
  }
  const twice = ["Idempotency-Key: one", "Idempotency-Key: two"];
  assert.equal((await exchange(server.port, requestText("PUT /sessions/new", twice))).status, 400);
});

test("a stored response is kept for 24 hours, across restarts, and after the end of its session", async () => {
  await using still = await serve({ frozen: true });
  const calls = () => createApi(still.url);
  const first = await create(calls(), "k", "anna");
  const id = await newSession(calls());
  acceptedOf(await post(calls(), id, visits(3), under("r")));
  for (const later of [0, HOUR, DAY - HOUR - 1]) {
    still.pass(later);
    await still.restart();
    assert.equal((await create(calls(), "k", "anna")).text, first.text, `${later} ms later`);
    assert.equal(acceptedOf(await post(calls(), id, visits(3), under("r"))), 3);
    problemOf(await create(calls(), "k", "bob"), 422, "idempotency-key-reused");
    problemOf(await post(calls(), id, visits(4), under("r")), 422, "idempotency-key-reused");
  }
  still.pass(1);
  const fresh = sessionOf(await create(calls(), "k", "bob"));
  assert.equal(fresh.customerId, "bob");
  problemOf(await post(calls(), id, visits(3), under("r")), 404, "session-not-found");
});

test("mode key: callers do not share idempotency keys", async () => {
  const people = {
    alice: keyFor({ role: "customer", customerId: "alice" }),
    bob: keyFor({ role: "customer", customerId: "bob" }),
    seven: keyFor({ role: "agent", agentId: "7" }),
    eight: keyFor({ role: "agent", agentId: "8" }),
    administrator: keyFor({ role: "administrator" }),
  };
  await using guarded = await serve({
    config: { auth: "key" },
    keys: Object.values(people).map(({ key }) => key),
  });
  const made = new Set<string>();
  for (const { bearer } of Object.values(people)) {
    const calls = createApi(guarded.url, { authorization: bearer });
    const session = sessionOf(await create(calls, "k", undefined));
    assert.equal(sessionOf(await create(calls, "k", undefined)).sessionId, session.sessionId);
    made.add(session.sessionId);
  }
  assert.equal(made.size, 5);
});

test("an empty idempotency key counts as missing", async () => {
  const text = requestText("PUT /sessions/new", ["Idempotency-Key: "]);
  const [first, second] = [await exchange(server.port, text), await exchange(server.port, text)];
  assert.equal(first.status, 200);
  assert.notEqual(first.body, second.body);
  assert.equal((await api.call("POST", requestsOf(await newSession(api)))).status, 400);
});
