import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";

test("writes beyond the queue's limit are refused as unavailable, and all others are stored", async () => {
  await using server = await serve({ config: { maxPendingWrites: 8 } });
  const api = createApi(server.url);
  const visits = Array.from({ length: 200 }, (_, i) => `v${i}`);
  const answers = await Promise.all(visits.map((visitId) => api.create({ json: { visitId } })));
  const refused = answers.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0, "nothing was refused");
  assert.ok(refused.length < 200, "everything was refused");
  for (const [i, answer] of answers.entries()) {
    if (answer.status === 503) expectUnavailable(answer);
    else assert.equal(sessionOf(answer).visitId, visits[i]);
  }

  assert.match(server.log(), /"code":"unavailable".*as many changes wait as maxPendingWrites allows/);
  // After the burst the server accepts writes again, and the refused writes have stored nothing.
  for (const [i, visitId] of visits.entries()) {
    const again = await api.create({ json: { visitId } });
    if (answers[i]?.status === 503) assert.equal(sessionOf(again).visitId, visitId);
    else problemOf(again, 400, "already-exists");
  }
});

function expectUnavailable(answer: Answer): void {
  const problem = problemOf(answer, 503, "unavailable");
  assert.ok(Number(answer.headers.get("retry-after")) >= 1);
  assert.equal(problem.outcome, undefined, "nothing was changed, for certain");
  assert.match(problem.detail, /Retry-After/);
}
