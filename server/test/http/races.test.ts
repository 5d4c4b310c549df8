// runs: once

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import type { TestServer } from "../support/in-process.ts";
import { sized } from "../support/tier.ts";

const CLIENTS = 64;
const ROUNDS = sized(3, 10, 200);
const clients = Array.from({ length: CLIENTS }, (_, i) => i);

onEachEngine(({ test, serve }) => {
  let server: TestServer;
  before(async () => {
    server = await serve();
  });
  after(() => server[Symbol.asyncDispose]());

  const api = () => createApi(server.url);

  /** Asserts that one response is a success and all others are refused for `field`; returns the index of the one. */
  function winnerOf(answers: readonly Answer[], field: string): number {
    const winners = clients.filter((i) => answers[i]?.status === 200);
    assert.equal(winners.length, 1, `${winners.length} winners`);
    for (const answer of answers) {
      if (answer.status !== 200) assert.equal(problemOf(answer, 400, "already-exists").field, field);
    }
    return winners[0] ?? -1;
  }

  test(`64 clients create a session with one visit, ${ROUNDS} rounds: one succeeds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const visitId = `create ${round}`;
      const answers = await Promise.all(
        clients.map((i) => api().create({ json: { visitId }, headers: { gkc_customerId: `c${i}` } })),
      );
      const winner = winnerOf(answers, "visitId");
      const session = sessionOf(answers[winner] as Answer);
      assert.equal(session.customerId, `c${winner}`);
      assert.deepEqual(sessionOf(await api().retrieve(session.sessionId)), session);
    }
  });

  test(`64 customers sign in to one session, ${ROUNDS} rounds: one succeeds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { sessionId } = sessionOf(await api().create());
      const answers = await Promise.all(
        clients.map((i) =>
          api().update(sessionId, {
            headers: { gkc_customerId: `c${i}` },
            json: { globalVisitId: `g${i}` },
          }),
        ),
      );
      const winner = winnerOf(answers, "customerId");
      const session = sessionOf(await api().retrieve(sessionId));
      assert.equal(session.customerId, `c${winner}`);
      assert.equal(session.globalVisitId, `g${winner}`, "nothing of a loser's request was applied");
    }
  });

  test(`64 sessions are associated with one visit, ${ROUNDS} rounds: one succeeds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const visitId = `update ${round}`;
      const made = await Promise.all(clients.map(() => api().create()));
      const ids = made.map((answer) => sessionOf(answer).sessionId);
      const answers = await Promise.all(
        ids.map((id) => api().update(id, { json: { visitId }, headers: { gkc_agentId: "a" } })),
      );
      const winner = winnerOf(answers, "visitId");
      const shown = await Promise.all(ids.map((id) => api().retrieve(id)));
      for (const [i, answer] of shown.entries()) {
        const { agentId, visitId: held } = sessionOf(answer);
        assert.deepEqual([agentId, held], i === winner ? ["a", visitId] : [null, null]);
      }
    }
  });

  test(`creations and updates with one visit, ${ROUNDS} rounds: one succeeds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const visitId = `both ${round}`;
      const stored = sessionOf(await api().create({ headers: { gkc_agentId: "a" } })).sessionId;
      const made = await Promise.all(clients.map(() => api().create()));
      const answers = await Promise.all(
        clients.map((i) => {
          if (i % 2 === 0) return api().create({ json: { visitId } });
          const id = i % 4 === 1 ? sessionOf(made[i] as Answer).sessionId : stored;
          return api().update(id, { json: { visitId } });
        }),
      );
      // Several clients send the same update of `stored`: if it succeeds for one, it succeeds for all.
      const winners = answers.filter(({ status }) => status === 200).map((a) => sessionOf(a).sessionId);
      assert.equal(new Set(winners).size, 1);
      for (const answer of answers) {
        if (answer.status !== 200) {
          assert.equal(problemOf(answer, 400, "already-exists").field, "visitId");
        }
      }
    }
  });

  test("the same sign-in from 64 tabs succeeds in all of them", async () => {
    const { sessionId } = sessionOf(await api().create());
    const request = { headers: { gkc_customerId: "c" }, json: { visitId: "tabs" } };
    const answers = await Promise.all(clients.map(() => api().update(sessionId, request)));
    for (const answer of answers) assert.equal(sessionOf(answer).customerId, "c");
  });

  test("64 retrievals of one unknown id create 64 sessions", async () => {
    const headers = { gkc_customerId: "c" };
    const answers = await Promise.all(clients.map(() => api().retrieve("unknown", { headers })));
    const ids = new Set(answers.map((answer) => sessionOf(answer).sessionId));
    assert.equal(ids.size, CLIENTS);
  });

  test("a session retrieved during a sign-in shows either all of its ids or none", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { sessionId } = sessionOf(await api().create());
      const update = api().update(sessionId, {
        headers: { gkc_customerId: "c" },
        json: { globalVisitId: "g" },
      });
      const seen = await Promise.all(clients.map(() => api().retrieve(sessionId)));
      sessionOf(await update);
      for (const answer of seen) {
        const { customerId, globalVisitId, state } = sessionOf(answer);
        assert.deepEqual(
          [customerId, globalVisitId, state],
          customerId === null ? [null, null, "anonymous"] : ["c", "g", "recognized"],
        );
      }
      assert.equal(sessionOf(await api().retrieve(sessionId)).customerId, "c");
    }
  });
});
