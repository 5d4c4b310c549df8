// runs: faults
// needs: strace

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createCaller } from "../support/caller.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { freshIds, startLoad } from "./load.ts";
import { openStoredData } from "./stored-data.ts";
import { killAtCall } from "./strace.ts";

/** The ordinals of the calls at which a server is killed. A start makes some dozens of calls, the load any number. */
const COUNTS = long ? Array.from({ length: 100 }, (_, i) => i + 1) : [1, 3, 9, 27];
/** The system calls of a commit. A kill before the write loses the commit; a kill before the fsync may not. */
const CALLS = ["pwrite64", "fsync,fdatasync"];

/** Starts a server that is killed at its `count`-th call of `calls`, and sends requests until then. */
async function runUntilKilled(dataDir: string, calls: string, count: number, ledger: Ledger): Promise<void> {
  await using log = temporaryDirectory();
  const wrapper = killAtCall(calls, count, join(log.path, "strace"));
  await using server = spawnServer({ dataDir, wrapper });
  const isReady = await server.ready.then(
    () => true,
    () => false,
  );
  if (isReady) {
    using caller = createCaller(server.url);
    const random = createRandom(runSeed());
    await startLoad(caller, ledger, { workers: 4, random }).over;
  }
  assert.equal((await server.exited).signal, "SIGKILL", server.stderr());
}

/** Asserts that a new server starts on the killed server's data, and has every acknowledged change. */
async function restartAndVerify(dataDir: string, ledger: Ledger): Promise<void> {
  await using server = await startServer({ dataDir });
  using stored = openStoredData(dataDir);
  assert.deepEqual(stored.integrity(), ["ok"]);
  ledger.verifyCreates(stored);
  using caller = createCaller(server.url);
  await ledger.verify(caller, ledger.sessionIds());
  await ledger.create(caller, freshIds());
}

for (const calls of CALLS) {
  test(`a new data directory survives a kill at each of ${COUNTS.length} ${calls} calls`, async () => {
    for (const count of COUNTS) {
      await using directory = temporaryDirectory();
      const ledger = createLedger();
      await runUntilKilled(directory.path, calls, count, ledger);
      await restartAndVerify(directory.path, ledger);
    }
  });

  test(`data survive a kill at each of ${COUNTS.length} ${calls} calls of a server`, async () => {
    await using directory = temporaryDirectory();
    const ledger = createLedger();
    for (const count of COUNTS) {
      await runUntilKilled(directory.path, calls, count, ledger);
      await restartAndVerify(directory.path, ledger);
    }
  });
}
