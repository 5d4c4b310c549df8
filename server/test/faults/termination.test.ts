// runs: faults
// needs: npm

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { compile } from "./compile.ts";
import { createLedger } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { openStoredData } from "./stored-data.ts";

const ROUNDS = long ? 50 : 3;
const root = fileURLToPath(new URL("../../..", import.meta.url));

for (const runtime of ["bun", "node"] as const) {
  test(`SIGTERM under load fails no admitted request (${runtime})`, async () => {
    const random = createRandom(runSeed());
    await using directory = temporaryDirectory();
    await using libraries = temporaryDirectory();
    const dataDir = directory.path;
    // On a slow disk, some changes are always in progress when the signal arrives.
    const env = {
      LD_PRELOAD: compile("slow-fsync.c", "library", libraries.path),
      SLOW_FSYNC_MS: "20",
    };
    const ledger = createLedger();
    for (let round = 0; round < ROUNDS; round++) {
      await using server = await startServer({ dataDir, env, runtime });
      using caller = createCaller(server.url, 64);
      await ledger.verify(caller, ledger.sessionIds());
      // The load checks that every response is a 200.
      const load = startLoad(caller, ledger, { workers: 64, random });
      await load.moment(random.between(0, 400));
      const signalled = performance.now();
      const exit = await server.kill("SIGTERM");
      assert.deepEqual(exit, { code: 0, signal: null }, server.stderr());
      assert.ok(performance.now() - signalled < 60_000, "it took over a minute");
      await load.over;
      // A request without a response was sent on a closed connection. It was not admitted, so it must have no effect.
      const unanswered = ledger.doubtfulCreates();
      using stored = openStoredData(dataDir);
      assert.equal(ledger.appliedInDoubt(stored), 0, `of ${unanswered} unanswered requests`);
      ledger.verifyCreates(stored);
    }
    await using server = await startServer({ dataDir, runtime });
    using caller = createCaller(server.url);
    await ledger.verify(caller, ledger.sessionIds());
  });
}

test("SIGTERM to npm start stops the server, and acknowledged changes are kept", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const ledger = createLedger();
  const env = {
    ...process.env,
    // Otherwise npm would leave a compile cache in the temporary directory.
    NODE_DISABLE_COMPILE_CACHE: "1",
    ANTECHAMBER_PORT: "0",
    ANTECHAMBER_DATA_DIR: dataDir,
  };
  const npm = spawn("npm", ["start"], { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(npm, "exit");
  try {
    let stdout = "";
    npm.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    const url = () => /^antechamber listening on (\S+)$/m.exec(stdout)?.[1];
    await until("npm start is ready", () => url() !== undefined);
    using caller = createCaller(url() ?? "");
    const random = createRandom(runSeed());
    const load = startLoad(caller, ledger, { workers: 16, random });
    await until("something was stored", () => load.acknowledged() > 50);
    npm.kill("SIGTERM");
    await exited;
    await load.over;
  } finally {
    npm.kill("SIGTERM");
  }
  // This start succeeds only if the first server has exited and released the directory.
  await using server = await startServer({ dataDir });
  using caller = createCaller(server.url);
  await ledger.verify(caller, ledger.sessionIds());
});
