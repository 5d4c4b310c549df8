// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createApi } from "../support/api.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { type Guess, indexRows, tracesOf } from "../support/traces.ts";

const SESSIONS = 150;
const SHORT = {
  ANTECHAMBER_ANONYMOUS_IDLE: "1s",
  ANTECHAMBER_RECOGNIZED_IDLE: "1s",
  ANTECHAMBER_RETENTION: "1s",
};

/** Creates sessions with guessable ids, each with one request record. */
async function fill(url: string, name: string): Promise<Guess[]> {
  const api = createApi(url);
  const guesses: Guess[] = [];
  const create = async (i: number) => {
    const [customerId, visitId] = [`customer-${name}-${i % 30}`, `visit-${name}-${i}`];
    guesses.push({ field: "customerId", id: customerId }, { field: "visitId", id: visitId });
    const headers = { gkc_customerId: customerId };
    const created = await api.create({ headers, json: { visitId } });
    assert.equal(created.status, 200, created.text);
    const { sessionId } = JSON.parse(created.text) as { sessionId: string };
    const path = `/read-by-${customerId}`;
    await api.call("POST", `/sessions/${sessionId}/requests`, { json: { method: "GET", path } });
  };
  await Promise.all(Array.from({ length: SESSIONS }, (_, i) => create(i)));
  return guesses;
}

test("soon after the retention, an idle server's files contain no trace of a guessed id, even if the server was killed before", async () => {
  await using directory = temporaryDirectory();
  const guesses: Guess[] = [];
  let traces = 0;
  for (let round = 0; round < 3; round++) {
    // However slow the machine is, the first server does not delete its data before the kill.
    const env = round === 0 ? { ...SHORT, ANTECHAMBER_RETENTION: "1h" } : SHORT;
    await using server = await startServer({ dataDir: directory.path, env });
    guesses.push(...(await fill(server.url, `of-round-${round}`)));
    // Each kill comes at another time: while sessions are live, are purged, or the index is cleared.
    await delay(round * 1500);
    await server.kill("SIGKILL");
    traces += tracesOf(directory.path, guesses).length;
  }
  assert.ok(traces > 0, "it was there");
  await using server = await startServer({ dataDir: directory.path, env: SHORT });
  await eventually(async () => {
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
    assert.deepEqual(tracesOf(directory.path, guesses), []);
    const rows = Object.values(indexRows(directory.path));
    assert.deepEqual(new Set(rows), new Set([0]));
  });
});
