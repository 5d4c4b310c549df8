// runs: alone

import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { median } from "../support/calibration.ts";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { residentMemory } from "../support/resident-memory.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { compile } from "./compile.ts";
import { createLedger } from "./ledger.ts";
import { freshIds, startLoad } from "./load.ts";
import { openStoredData } from "./stored-data.ts";

const PENDING = 20;
const CALLERS = 200;
const REFUSALS = long ? 200_000 : 3000;
const MEGABYTE = 1024 * 1024;

test("changes beyond the queue's limit are refused at once, and all other requests succeed", async () => {
  await using libraries = temporaryDirectory();
  await using server = await startServer({
    env: {
      LD_PRELOAD: compile("slow-fsync.c", "library", libraries.path),
      SLOW_FSYNC_MS: "100",
      ANTECHAMBER_MAX_PENDING_WRITES: String(PENDING),
    },
  });
  using caller = createCaller(server.url, CALLERS);
  using reader = createCaller(server.url, 1);
  const ledger = createLedger();
  const random = createRandom(runSeed());
  const load = startLoad(caller, ledger, { workers: CALLERS, random, mayRefuse: true });
  await until("the overload has begun", () => load.refused() > 1000);

  const before = residentMemory(server.pid);
  const reads: number[] = [];
  while (load.refused() < REFUSALS) {
    const answer = await reader.retrieve("unknown");
    sessionOf(answer);
    reads.push(answer.milliseconds);
  }
  const grown = residentMemory(server.pid) - before;
  await load.stop();

  assert.ok(load.acknowledged() > 0, "nothing was served");
  const memory = `memory grew from ${before / MEGABYTE} MB by ${grown / MEGABYTE} MB`;
  assert.ok(grown < before / 2, memory);
  // All accepted changes have their responses, so they are stored and the queue is empty.
  sessionOf(await ledger.create(caller, freshIds()));
  await ledger.verify(caller, ledger.sessionIds());
  using stored = openStoredData(server.dataDir);
  ledger.verifyCreates(stored);
  console.log(`${load.refused()} refused, ${load.acknowledged()} served, reads ${median(reads)} ms`);
});
