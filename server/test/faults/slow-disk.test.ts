// runs: alone

import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { median } from "../support/calibration.ts";
import { type Caller, createCaller } from "../support/caller.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { compile } from "./compile.ts";
import { createLedger } from "./ledger.ts";
import { freshIds, startLoad } from "./load.ts";

const FSYNC_MS = 100;
const READS = long ? 20_000 : 1000;

/** Retrieves sessions one after the other and returns how long each took, in ms. */
async function timeReads(caller: Caller, sessionIds: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  while (times.length < READS) {
    for (const sessionId of sessionIds) {
      const answer = await caller.retrieve(sessionId);
      assert.equal(sessionOf(answer).sessionId, sessionId);
      times.push(answer.milliseconds);
    }
  }
  return times;
}

test(`${FSYNC_MS} ms per fsync delay changes, but not reads`, async () => {
  await using libraries = temporaryDirectory();
  await using server = await startServer({
    env: {
      LD_PRELOAD: compile("slow-fsync.c", "library", libraries.path),
      SLOW_FSYNC_MS: String(FSYNC_MS),
      // A small cache, so that most reads go to the file.
      ANTECHAMBER_CACHE_SESSIONS: "10",
    },
  });
  using reader = createCaller(server.url, 1);
  using writer = createCaller(server.url);
  const ledger = createLedger();
  const changes: number[] = [];
  for (let i = 0; i < 40; i++) {
    changes.push((await ledger.create(writer, freshIds())).milliseconds);
  }
  const stored = ledger.sessionIds();
  const alone = await timeReads(reader, stored);

  const load = startLoad(writer, ledger, { workers: 8, random: createRandom(runSeed()) });
  const during = await timeReads(reader, stored);
  await load.stop();

  assert.ok(Math.min(...changes) >= FSYNC_MS, `a change took ${Math.min(...changes)} ms`);
  assert.ok(load.acknowledged() > 0, "nothing was written during the reads");
  const figures = `median read: ${median(alone)} ms alone, ${median(during)} ms during changes`;
  // Reads that waited for an fsync would take as long as changes.
  assert.ok(median(during) < median(changes) / 2, figures);
  console.log(`${figures}; ${load.acknowledged()} changes, median ${median(changes)} ms`);
});
