// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { createCaller } from "../support/caller.ts";
import { type ServerProcess, spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { createLedger } from "./ledger.ts";
import { freshIds } from "./load.ts";

/** Documented exit status for a data directory that cannot be used. */
const DATA_UNAVAILABLE = 4;

async function checkRefused(server: ServerProcess): Promise<void> {
  await assert.rejects(server.ready);
  assert.deepEqual(await server.exited, { code: DATA_UNAVAILABLE, signal: null });
  assert.equal(server.stdout(), "");
  assert.match(server.stderr(), /another server runs on the data directory/i);
  assert.ok(server.stderr().includes(server.dataDir), "the message names the directory");
  assert.doesNotMatch(server.stderr(), /^\s+at /m, "a stack trace is no message");
}

for (const runtime of ["bun", "node"] as const) {
  test(`a second server (${runtime}) on a data directory is refused while the first runs`, async () => {
    await using directory = temporaryDirectory();
    const dataDir = directory.path;
    const ledger = createLedger();
    {
      await using first = await startServer({ dataDir });
      using caller = createCaller(first.url);
      await ledger.create(caller, freshIds());

      await using second = spawnServer({ dataDir, runtime });
      await checkRefused(second);

      await ledger.create(caller, freshIds());
      await ledger.verify(caller, ledger.sessionIds());
      await first.kill("SIGKILL");
    }
    await using next = await startServer({ dataDir, runtime });
    using caller = createCaller(next.url);
    await ledger.verify(caller, ledger.sessionIds());
  });
}

test("if several servers start at once on a new data directory, exactly one serves", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  const servers = Array.from({ length: 4 }, () => spawnServer({ dataDir }));
  try {
    const ready = await Promise.allSettled(servers.map((server) => server.ready));
    assert.equal(ready.filter(({ status }) => status === "fulfilled").length, 1);
    for (const [i, { status }] of ready.entries()) {
      const server = servers[i];
      if (server !== undefined && status === "rejected") await checkRefused(server);
    }
  } finally {
    await Promise.all(servers.map((server) => server.end()));
  }
});
