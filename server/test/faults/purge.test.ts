// runs: alone

import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { long } from "../support/tier.ts";
import { createLedger } from "./ledger.ts";
import { freshIds, startLoad } from "./load.ts";
import { openStoredData } from "./stored-data.ts";

const STORED = long ? 100_000 : 1500;
/** Maximum time to store the sessions, in ms. */
const LOADING = long ? 900_000 : 60_000;
const LONGEST_LIFE = 2000;
/** Time (ms) for which a row may remain after expiry: the retention, and the time until the next purge. */
const GRACE = 5000;
/** Maximum time (ms) in addition, in the short form, on a busy machine. */
const LIMIT = long ? GRACE : 60_000;

test("expired sessions are purged while requests are served", async () => {
  await using server = await startServer({
    env: {
      ANTECHAMBER_ANONYMOUS_IDLE: "1s",
      ANTECHAMBER_RECOGNIZED_IDLE: `${LONGEST_LIFE}ms`,
      ANTECHAMBER_RETENTION: "1s",
      ANTECHAMBER_CACHE_SESSIONS: "100",
    },
  });
  using caller = createCaller(server.url);
  using stored = openStoredData(server.dataDir);
  const ledger = createLedger();
  // The load checks every response, so the test fails if the purge makes a request fail.
  const random = createRandom(runSeed());
  const load = startLoad(caller, ledger, { workers: 8, random, mayExpire: true });
  const start = performance.now();
  const visit = freshIds();
  const first = sessionOf(await ledger.create(caller, visit));
  await until("enough is stored", () => load.acknowledged() > STORED, LOADING);
  // A machine that stores sessions slowly also purges them slowly, so the limit includes the time of storing.
  const grace = GRACE + (long ? 0 : performance.now() - start);

  await until("the visit is free again", async () => (await caller.create(visit)).status === 200, LIMIT);
  assert.notEqual(sessionOf(await caller.retrieve(first.sessionId)).sessionId, first.sessionId);
  // The load continues while the first sessions, and those created meanwhile, are purged.
  const half = load.acknowledged();
  await until("as much again is stored", () => load.acknowledged() > 2 * half, LOADING);
  const time = () => performance.now() - start;
  await until("the first are long over", () => time() > LONGEST_LIFE + 2 * grace, LOADING);
  // After a moment in which the machine stood still, the purge catches up.
  await until("the purge does not fall behind", () => stored.countExpired(Date.now() - grace) === 0, LIMIT);
  await load.stop();

  await until("every row is purged", () => stored.count() === 0, LONGEST_LIFE + grace + LIMIT);
  assert.deepEqual(stored.integrity(), ["ok"]);
  assert.match((await caller.get("/metrics")).text, /^antechamber_sessions_expired_total\S* [1-9]/m);
});
