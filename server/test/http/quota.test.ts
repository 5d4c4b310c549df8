// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { MINUTE } from "../support/sessions.ts";

const serveWithQuota = (maxSessionsPerCustomer: number) => serve({ config: { maxSessionsPerCustomer }, frozen: true });
const as = (customerId: string) => ({ headers: { gkc_customerId: customerId } });

/** Advances the clock until all sessions have expired. */
function expireAll(server: TestServer): void {
  server.pass(31 * MINUTE);
}

async function createMany(api: Api, count: number, customerId = "c"): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    ids.push(sessionOf(await api.create(as(customerId))).sessionId);
  }
  return ids;
}

test("each customer gets as many live sessions as the quota permits, by create and by associate", async () => {
  await using server = await serveWithQuota(3);
  const api = createApi(server.url);
  const [first = ""] = await createMany(api, 3);
  const anonymous = sessionOf(await api.create());
  const refusals = [
    await api.create(as("c")),
    await api.update(anonymous.sessionId, as("c")),
    await api.retrieve("unknown", as("c")),
  ];
  for (const refusal of refusals) {
    const { detail } = problemOf(refusal, 429, "too-many-requests");
    assert.match(detail, /The customer has 3 live sessions, and may have no more/);
    assert.equal(refusal.headers.get("retry-after"), "60");
    assert.equal(refusal.headers.get("ratelimit-policy"), '"sessions-per-customer";q=3');
  }
  assert.equal(sessionOf(await api.retrieve(anonymous.sessionId)).customerId, null);
  // The customer's existing sessions can still be used.
  assert.equal(sessionOf(await api.update(first, as("c"))).sessionId, first);
  assert.equal(sessionOf(await api.retrieve(first, as("c"))).sessionId, first);
  await createMany(api, 3, "other");
  sessionOf(await api.create());
});

test("expired sessions do not count for the quota, even if there are many", async () => {
  await using server = await serveWithQuota(2);
  const api = createApi(server.url);
  for (let i = 0; i < 4; i++) {
    await createMany(api, 2);
    problemOf(await api.create(as("c")), 429, "too-many-requests");
    expireAll(server);
  }
  await createMany(api, 2);
});

test("simultaneous requests do not exceed the quota", async () => {
  await using server = await serveWithQuota(5);
  const api = createApi(server.url);
  await createMany(api, 2);
  const answers = await Promise.all(Array.from({ length: 40 }, () => api.create(as("c"))));
  const admitted = answers.filter(({ status }) => status === 200).length;
  assert.ok(admitted <= 3, `${admitted} got through`);
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    problemOf(answer, 429, "too-many-requests");
  }
  await createMany(api, 3 - admitted);
  problemOf(await api.create(as("c")), 429, "too-many-requests");
});

test("a replay gets its stored response even if the quota is exhausted", async () => {
  await using server = await serveWithQuota(1);
  const api = createApi(server.url);
  const keyed = { headers: { ...as("c").headers, "idempotency-key": "once" } };
  const first = sessionOf(await api.create(keyed));
  assert.deepEqual(sessionOf(await api.create(keyed)), first);
  const other = { headers: { ...as("c").headers, "idempotency-key": "twice" } };
  problemOf(await api.create(other), 429, "too-many-requests");
});

test("other refusals take precedence over the quota", async () => {
  await using server = await serveWithQuota(1);
  const api = createApi(server.url);
  const [mine = ""] = await createMany(api, 1, "d");
  await createMany(api, 1);
  problemOf(await api.update(mine, as("c")), 400, "already-exists");
  problemOf(await api.update("unknown", as("c")), 404, "session-not-found");
  expireAll(server);
  await createMany(api, 1);
  problemOf(await api.update(mine, as("c")), 404, "session-not-found");
});
