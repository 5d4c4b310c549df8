// runs: once

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { SessionInfo } from "@antechamber/client/protocol";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { DAY, HOUR, MINUTE } from "../support/sessions.ts";

/** Starts a server with a clock that only the tests advance. */
const still = () => serve({ frozen: true });
const as = (customerId: string) => ({ headers: { gkc_customerId: customerId } });
const create = async (api: Api, json: unknown = {}, headers = {}) => sessionOf(await api.create({ json, headers }));

/** Returns the number of sessions in the database file. */
function rows(server: TestServer): number {
  const database = new DatabaseSync(join(server.dataDir, "antechamber.db"), { readOnly: true });
  try {
    return Number(database.prepare("SELECT count(*) AS n FROM sessions").get()?.["n"]);
  } finally {
    database.close();
  }
}

/** Requests on a session, and whether they renew it. */
const uses: [string, (api: Api, id: string) => Promise<unknown>, boolean][] = [
  ["retrieving", (api, id) => api.retrieve(id), true],
  ["HEAD", (api, id) => api.call("HEAD", `/sessions/${id}`), true],
  ["a repeated association", (api, id) => api.update(id, { json: { visitId: "v" } }), true],
  ["an association", (api, id) => api.update(id, { json: { globalVisitId: "g" } }), true],
  ["a conflict", (api, id) => api.update(id, { json: { visitId: "other" } }), false],
  ["a bad request", (api, id) => api.update(id, { json: { visitId: 1 } }), false],
  ["an update without ids", (api, id) => api.update(id), false],
  ["doing nothing", async () => undefined, false],
];
for (const [name, use, prolongs] of uses) {
  test(`contract.md#rule-6: ${name} ${prolongs ? "renews" : "does not renew"} a session`, async () => {
    await using server = await still();
    const api = createApi(server.url);
    const { sessionId } = await create(api, { visitId: "v" });
    server.pass(20 * MINUTE);
    await use(api, sessionId);
    server.pass(20 * MINUTE);
    const session = sessionOf(await api.retrieve(sessionId));
    assert.equal(session.sessionId === sessionId, prolongs);
  });
}

test("contract.md#rule-6: use also renews an anonymous session, even across a restart", async () => {
  await using server = await still();
  const { sessionId } = await create(createApi(server.url));
  for (let i = 0; i < 5; i++) {
    server.pass(25 * MINUTE);
    const session = sessionOf(await createApi(server.url).retrieve(sessionId));
    assert.equal(session.sessionId, sessionId);
    assert.equal(Date.parse(session.expiresAt), server.now() + 30 * MINUTE);
    await server.restart();
  }
});

test("contract.md#rule-6: no use renews a session beyond its maximum lifetime", async () => {
  await using server = await still();
  const api = createApi(server.url);
  const { sessionId, createdAt } = await create(api, {}, { gkc_customerId: "c" });
  while (server.now() + 25 * MINUTE < Date.parse(createdAt) + DAY) {
    server.pass(25 * MINUTE);
    assert.equal(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
    // A renewal is stored only after its response, but before later changes such as this one.
    await create(api, { globalVisitId: "g" });
  }
  server.pass(25 * MINUTE);
  assert.notEqual(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
});

test("contract.md#rule-6: anonymous and recognized sessions have separate lifetimes", async () => {
  const anonymous = { idle: 10 * MINUTE, total: DAY };
  const recognized = { idle: 2 * HOUR, total: 3 * DAY };
  await using server = await serve({
    frozen: true,
    config: { lifetimes: { anonymous, recognized } },
  });
  const api = createApi(server.url);
  const life = (session: SessionInfo) => Date.parse(session.expiresAt) - Date.parse(session.lastActiveAt);
  const session = await create(api, { visitId: "v" });
  assert.equal(life(session), 10 * MINUTE);
  server.pass(5 * MINUTE);
  assert.equal(life(sessionOf(await api.update(session.sessionId, as("c")))), 2 * HOUR);
  server.pass(2 * HOUR - 1);
  assert.equal(sessionOf(await api.retrieve(session.sessionId)).sessionId, session.sessionId);
});

test("contract.md#rule-6: a clock that is set back revives no session, not even across a restart", async () => {
  await using server = await still();
  const stored = await create(createApi(server.url), { visitId: "v" });
  const anonymous = await create(createApi(server.url));
  server.pass(31 * MINUTE);
  const gone = async (when: string) => {
    for (const { sessionId } of [stored, anonymous]) {
      const answer = await createApi(server.url).call("HEAD", `/sessions/${sessionId}`);
      assert.equal(answer.status, 404, when);
    }
  };
  await gone("expired");
  server.step(-HOUR);
  await gone("after the clock was set back");
  await server.restart();
  await gone("after a restart");
  server.step(-365 * DAY);
  await server.restart();
  await gone("a year back");
  const fresh = await create(createApi(server.url), { visitId: "v" });
  assert.equal(sessionOf(await createApi(server.url).retrieve(fresh.sessionId)).visitId, "v");
});

test("contract.md#rule-6: a session that is used while the clock is behind still expires in time", async () => {
  await using server = await still();
  const api = createApi(server.url);
  const { sessionId } = await create(api, { visitId: "v" });
  server.step(-DAY);
  server.pass(20 * MINUTE);
  assert.equal(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
  server.pass(31 * MINUTE);
  assert.notEqual(sessionOf(await api.retrieve(sessionId)).sessionId, sessionId);
});

test("contract.md#rule-7: every acknowledged session is there after a restart, with all its ids", async () => {
  await using server = await still();
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      create(createApi(server.url), { visitId: `v${i}` }, { gkc_customerId: `Kunde ${i}` }),
    ),
  );
  await server.restart();
  const api = createApi(server.url);
  for (const session of made) {
    assert.deepEqual(sessionOf(await api.retrieve(session.sessionId)), session);
  }
  problemOf(await api.create({ json: { visitId: "v7" } }), 400, "already-exists");
});

test("contract.md#rule-8: creating and retrieving without ids leaves no row", async () => {
  await using server = await still();
  const api = createApi(server.url);
  const { sessionId } = await create(api);
  for (let i = 0; i < 300; i++) {
    await Promise.all([
      api.create(),
      api.retrieve(`junk-${i}`),
      api.retrieve("00000000-0000-0000-0000-0000000000"),
      api.retrieve(sessionId),
      api.call("HEAD", `/sessions/${sessionId}`),
    ]);
  }
  await server.restart();
  assert.equal(rows(server), 0);
  assert.equal(sessionOf(await createApi(server.url).retrieve(sessionId)).sessionId, sessionId);
});

test("contract.md#rule-8: refused requests leave no row", async () => {
  await using server = await still();
  const api = createApi(server.url);
  const { sessionId } = await create(api);
  await api.update(sessionId, { json: { visitId: 1 } });
  await api.update(sessionId);
  await api.update("A".repeat(40), as("c"));
  await api.retrieve(sessionId, { headers: { gkc_customerId: "x".repeat(300) } });
  await server.restart();
  assert.equal(rows(server), 0);
});

test("contract.md#rule-8: a session is stored when it gets an id or must live longer", async () => {
  await using server = await still();
  const api = createApi(server.url);
  const [first, second] = [await create(api), await create(api)];
  await api.update(first.sessionId, as("c"));
  server.pass(3 * MINUTE);
  await api.retrieve(second.sessionId);
  await server.restart();
  assert.equal(rows(server), 2);
});

test("expired sessions are purged", async () => {
  await using server = await serve({ frozen: true, config: { retention: DAY } });
  const api = createApi(server.url);
  for (let i = 0; i < 300; i++) await api.create({ json: { visitId: `v${i}` } });
  assert.equal(rows(server), 300);
  server.pass(31 * MINUTE + DAY);
  await eventually(async () => assert.equal(rows(server), 0));
});
