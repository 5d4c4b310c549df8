// runs: alone

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { median } from "../support/calibration.ts";
import { createCaller } from "../support/caller.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { freshIds } from "./load.ts";
import {
  createRecordLedger,
  createRecordSender,
  createSessions,
  longLife,
  type RecordLedger,
  recordUntilGone,
} from "./record-ledger.ts";
import { openStoredData } from "./stored-data.ts";

const KILLS = long ? 200 : 3;
/** Enough records for several compaction batches, so that a kill can happen between two batches. */
const SESSIONS = 1000;
const RECORDS = 100_000;
/** Time (ms) after the response within which an accepted record is on disk (contract.md#request-records). */
const STORED_WITHIN = 100;

/** Kills a server before, while or after it compacts the records that it finds at its start. */
async function killWhileMerging(dataDir: string, random: Random): Promise<void> {
  await using server = await startServer({ dataDir, env: longLife });
  await delay(random.between(100, 900));
  await server.kill("SIGKILL");
}

test(`${KILLS} kills lose only the latest records, duplicate none and leave no gaps`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  let ledger: RecordLedger | undefined;
  let sessionIds: readonly string[] = [];
  let diedAt = 0;
  let missing = { records: 0, age: 0 };
  const lostAfter = () => diedAt - STORED_WITHIN - (ledger?.slowest() ?? 0);
  for (let round = 0; round < KILLS; round++) {
    await using server = await startServer({ dataDir, env: longLife });
    using sender = createRecordSender(server.url);
    if (ledger === undefined) {
      sessionIds = await createSessions(server.url, SESSIONS);
      ledger = createRecordLedger(sessionIds);
    } else {
      const found = await ledger.verify(sender, lostAfter(), diedAt);
      const age = Math.max(missing.age, found.age);
      missing = { records: missing.records + found.records, age };
    }
    const load = recordUntilGone(sender, ledger, sessionIds, random);
    await Promise.race([delay(random.between(100, 900)), load]);
    diedAt = performance.now();
    await server.kill("SIGKILL");
    await load;
    if (round % 2 === 0) await killWhileMerging(dataDir, random);
    if (round % 4 === 0) await killWhileMerging(dataDir, random);
  }
  await using server = await startServer({ dataDir, env: longLife });
  using sender = createRecordSender(server.url);
  await ledger?.verify(sender, lostAfter(), diedAt);
  using stored = openStoredData(dataDir);
  assert.deepEqual(stored.integrity(), ["ok"]);
  const lost = `${missing.records} lost, ${missing.age.toFixed()} ms old at most`;
  console.log(`${KILLS} kills, ${ledger?.accepted()} records accepted, ${lost}`);
});

test("sessions are served at the same speed while many records are compacted", async () => {
  await using server = await startServer({ env: longLife });
  const sessionIds = await createSessions(server.url, SESSIONS);
  using sender = createRecordSender(server.url);
  using caller = createCaller(server.url, 1);
  const measure = async (isOver: () => boolean) => {
    const reads: number[] = [];
    const changes: number[] = [];
    while (!isOver()) {
      reads.push((await caller.retrieve(random.pick(sessionIds))).milliseconds);
      changes.push((await caller.create(freshIds())).milliseconds);
    }
    return { reads, changes };
  };
  const random = createRandom(runSeed());
  await measure(after(500));
  const alone = await measure(after(1500));

  const paths = Array.from({ length: RECORDS / SESSIONS }, (_, i) => `/page/${i}`);
  using stored = openStoredData(server.dataDir);
  const sent: string[] = [];
  // On a busy machine the first ones may be compacted before the last ones are sent, and even all of them.
  do {
    sent.push(...paths);
    await Promise.all(sessionIds.map((id) => sender.send(id, paths, false)));
  } while (stored.unmergedRecords() === 0);
  const isOver = after(120_000);
  const during = await measure(() => isOver() || stored.unmergedRecords() === 0);
  assert.equal(stored.unmergedRecords(), 0, "the records are not compacted yet");

  const worst = Math.max(...during.reads, ...during.changes);
  const figures =
    `medians: reads ${median(alone.reads)} ms, then ${median(during.reads)}; ` +
    `changes ${median(alone.changes)} ms, then ${median(during.changes)}; ${worst} ms at the worst`;
  console.log(`${during.reads.length} of each while ${RECORDS} records were compacted; ${figures}`);
  assert.ok(median(during.reads) < 10 * median(alone.reads) + 5, figures);
  assert.ok(median(during.changes) < 10 * median(alone.changes) + 20, figures);
  const worstAlone = Math.max(...alone.reads, ...alone.changes);
  assert.ok(!long || worst < 1000 + 10 * worstAlone, figures);
  for (const id of sessionIds.slice(0, 20)) assert.deepEqual(await sender.paths(id), sent);
});

/** Returns a function that returns true once `milliseconds` have passed. */
function after(milliseconds: number): () => boolean {
  const end = performance.now() + milliseconds;
  return () => performance.now() > end;
}
