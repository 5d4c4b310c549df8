// runs: once

import assert from "node:assert/strict";
import type { SessionInfo } from "@antechamber/client/protocol";
import { createIdIssuer } from "../../src/session/id.ts";
import { type Api, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { HOUR, MINUTE } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";

/** Hundreds of ids that a caller chooses. */
const HUNDREDS = sized(10, 30, 1000);

onEachEngine(({ test, serve }) => {
  /** Starts a server with a clock that only the tests advance. */
  const still = () => serve({ frozen: true });
  const as = (customerId: string) => ({ headers: { gkc_customerId: customerId } });
  const create = async (api: Api, json: unknown = {}, headers = {}) => sessionOf(await api.create({ json, headers }));

  test("contract.md#rule-1: another value of an id that is set is refused, and nothing is applied", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const given = { visitId: "v", globalVisitId: "g" };
    const ids = { gkc_customerId: "c", gkc_agentId: "a" };
    const before = await create(api, given, ids);
    const requests = {
      agentId: { headers: { gkc_agentId: "other" } },
      customerId: { headers: { gkc_customerId: "other" } },
      visitId: { json: { visitId: "other" } },
      globalVisitId: { json: { globalVisitId: "other" } },
    };
    for (const [field, request] of Object.entries(requests)) {
      const problem = problemOf(await api.update(before.sessionId, request), 400, "already-exists");
      assert.equal(problem.field, field);
      assert.ok(!JSON.stringify(problem).includes(before.sessionId), "names no session");
    }
    assert.deepEqual(sessionOf(await api.retrieve(before.sessionId, as("c"))), before);
    const again = await api.update(before.sessionId, { headers: ids, json: given });
    assert.deepEqual(sessionOf(again), before);
  });

  test("contract.md#rule-1: if one id of a request conflicts, the others are not applied either", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const { sessionId } = await create(api, {}, { gkc_customerId: "c" });
    const request = {
      headers: { gkc_customerId: "other", gkc_agentId: "a" },
      json: { visitId: "v" },
    };
    problemOf(await api.update(sessionId, request), 400, "already-exists");
    const session = sessionOf(await api.retrieve(sessionId));
    assert.deepEqual([session.agentId, session.visitId], [null, null]);
    assert.equal((await create(api, { visitId: "v" })).visitId, "v", "the visit is free");
  });

  test("contract.md#rule-2: create and update refuse a visit that another live session has", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const holder = await create(api, { visitId: "v" });
    const other = await create(api, { globalVisitId: "g" });
    const anonymous = await create(api);
    for (const answer of [
      await api.create({ json: { visitId: "v" } }),
      await api.update(other.sessionId, { json: { visitId: "v" } }),
      await api.update(anonymous.sessionId, { json: { visitId: "v" } }),
    ]) {
      const problem = problemOf(answer, 400, "already-exists");
      assert.equal(problem.field, "visitId");
      assert.ok(!answer.text.includes(holder.sessionId), "never shows the other session's id");
      assert.ok(!answer.text.includes(holder.sessionId.slice(0, 8)));
    }
    const same = await api.update(holder.sessionId, { json: { visitId: "v" } });
    assert.deepEqual(sessionOf(same), holder);
  });

  test("contract.md#rule-2: a visit can be used again when its session has expired", async () => {
    await using server = await still();
    const api = createApi(server.url);
    await create(api, { visitId: "v" });
    server.pass(30 * MINUTE - 1);
    problemOf(await api.create({ json: { visitId: "v" } }), 400, "already-exists");
    server.pass(1);
    await create(api, { visitId: "v" });
  });

  test("contract.md#rule-2: many sessions may have the same global visit, customer and agent", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const headers = { gkc_customerId: "c", gkc_agentId: "a" };
    const made = await Promise.all([1, 2, 3].map(() => create(api, { globalVisitId: "g" }, headers)));
    assert.equal(new Set(made.map(({ sessionId }) => sessionId)).size, 3);
  });

  test("contract.md#rule-3: retrieving an unknown session creates one with the ids of the headers", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const expired = await create(api, {}, { gkc_customerId: "c" });
    server.pass(HOUR);
    const forged = `${expired.sessionId.slice(0, 39)}${expired.sessionId.endsWith("A") ? "B" : "A"}`;
    const foreign = createIdIssuer([{ bytes: new Uint8Array(32).fill(5), createdAt: 0 }]).issue(server.now()).id;
    for (const id of [expired.sessionId, forged, foreign, "x", "undefined", "A".repeat(40)]) {
      const headers = { gkc_customerId: "c", gkc_agentId: "a" };
      const session = sessionOf(await api.retrieve(id, { headers }));
      assert.notEqual(session.sessionId, id, "an id that the server did not make is never adopted");
      assert.deepEqual([session.customerId, session.agentId], ["c", "a"]);
      assert.equal(session.state, "recognized");
      assert.equal(sessionOf(await api.retrieve(session.sessionId)).sessionId, session.sessionId);
    }
  });

  test(`contract.md#rule-3: none of ${100 * HUNDREDS} chosen ids becomes the id of a session`, async () => {
    await using server = await still();
    const api = createApi(server.url);
    const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);
    for (let i = 0; i < HUNDREDS; i++) {
      const chosen = Array.from({ length: 100 }, () => issuer.issue(server.now()).id);
      const answers = await Promise.all(chosen.map((id) => api.retrieve(id)));
      for (const [at, answer] of answers.entries()) {
        assert.notEqual(sessionOf(answer).sessionId, chosen[at]);
      }
    }
  });

  test("contract.md#rule-4: the response to another customer's session is the same as to an unknown id", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const alices = await create(api, { visitId: "v" }, { gkc_customerId: "alice" });
    const foreign = await api.retrieve(alices.sessionId, as("bob"));
    const unknown = await api.retrieve("unknown", as("bob"));
    const blank = (answer: typeof foreign, session: SessionInfo) => ({
      status: answer.status,
      headers: [...answer.headers.keys()].toSorted(),
      text: answer.text.replaceAll(session.sessionId, "ID"),
    });
    const bobs = sessionOf(foreign);
    assert.deepEqual(blank(foreign, bobs), blank(unknown, sessionOf(unknown)));
    assert.equal(bobs.customerId, "bob");
    assert.equal(bobs.visitId, null);
    const head = (id: string) => api.call("HEAD", `/sessions/${id}`, as("bob"));
    assert.equal((await head(alices.sessionId)).status, (await head("unknown")).status);
    assert.deepEqual(sessionOf(await api.retrieve(alices.sessionId, as("alice"))), alices);
  });

  test("contract.md#rule-4: retrieving never changes the ids of an existing session", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const { sessionId } = await create(api, { visitId: "v" });
    const headers = { gkc_customerId: "c", gkc_agentId: "a" };
    const session = sessionOf(await api.retrieve(sessionId, { headers }));
    assert.equal(session.sessionId, sessionId);
    assert.deepEqual([session.customerId, session.agentId], [null, null]);
  });

  test("contract.md#rule-5: an update is refused without a live session", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const { sessionId } = await create(api, { visitId: "v" });
    const anonymous = await create(api);
    server.pass(30 * MINUTE);
    for (const id of [sessionId, anonymous.sessionId, "x", "A".repeat(40), "undefined", "new"]) {
      problemOf(await api.update(id, as("c")), 404, "session-not-found");
    }
  });

  test("contract.md#rule-5: an update without ids is refused, and the refusal mentions proxies that drop headers", async () => {
    await using server = await still();
    const api = createApi(server.url);
    const { sessionId } = await create(api);
    for (const options of [{}, { json: {} }, { json: { visitId: null } }, as("")]) {
      const problem = problemOf(await api.update(sessionId, options), 400, "nothing-to-associate");
      assert.match(problem.detail, /proxy/i);
      assert.match(problem.detail, /gkc-customerId/);
    }
  });
});
