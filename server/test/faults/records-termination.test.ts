// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import {
  createRecordLedger,
  createRecordSender,
  createSessions,
  longLife,
  type RecordLedger,
  recordUntilGone,
} from "./record-ledger.ts";

const TERMINATIONS = long ? 40 : 3;
const SESSIONS = 1000;

for (const runtime of ["bun", "node"] as const) {
  test(`SIGTERM under load loses no accepted record (${runtime})`, async () => {
    const random = createRandom(runSeed());
    await using directory = temporaryDirectory();
    const dataDir = directory.path;
    let ledger: RecordLedger | undefined;
    let sessionIds: readonly string[] = [];
    for (let round = 0; round < TERMINATIONS; round++) {
      await using server = await startServer({ dataDir, env: longLife, runtime });
      using sender = createRecordSender(server.url);
      if (ledger === undefined) {
        sessionIds = await createSessions(server.url, SESSIONS);
        ledger = createRecordLedger(sessionIds);
      } else await ledger.verify(sender, Number.POSITIVE_INFINITY, performance.now());
      const load = recordUntilGone(sender, ledger, sessionIds, random);
      await Promise.race([delay(random.between(0, 500)), load]);
      const exit = await server.kill("SIGTERM");
      assert.deepEqual(exit, { code: 0, signal: null }, server.stderr());
      await load;
    }
    await using server = await startServer({ dataDir, env: longLife, runtime });
    using sender = createRecordSender(server.url);
    await ledger?.verify(sender, Number.POSITIVE_INFINITY, performance.now());
  });
}
