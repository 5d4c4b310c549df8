// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, createCaller, unavailable } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { freshIds } from "./load.ts";
import { openStoredData } from "./stored-data.ts";
import { failCalls } from "./strace.ts";

/** Asserts that every change is refused, and that requests that need no disk still succeed. */
async function refusesChanges(caller: Caller, ledger: Ledger, stored: string): Promise<void> {
  const anonymous = await ledger.createAnonymous(caller);
  for (let i = 0; i < 20; i++) {
    unavailable(await ledger.create(caller, { ...freshIds(), customerId: "customer" }));
    unavailable(await ledger.associate(caller, anonymous, freshIds()));
    unavailable(await ledger.associate(caller, stored, { customerId: "customer" }));
  }
  await ledger.verify(caller, [anonymous, stored]);
  assert.equal((await caller.get("/healthz")).status, 200);
  await until("not ready", async () => (await caller.get("/readyz")).status === 503);
}

function verifyData(dataDir: string, ledger: Ledger): void {
  using stored = openStoredData(dataDir);
  assert.deepEqual(stored.integrity(), ["ok"]);
  ledger.verifyCreates(stored);
}

for (const calls of ["fsync,fdatasync", "pwrite64"]) {
  test(`a change during EIO from ${calls} never gets a 200, and changes work again afterwards`, async () => {
    await using directory = temporaryDirectory();
    const ledger = createLedger();
    {
      await using server = await startServer({ dataDir: directory.path });
      using caller = createCaller(server.url);
      await ledger.create(caller, freshIds());
      const [stored = ""] = ledger.sessionIds();
      {
        await using _ = await failCalls(server.pid, calls, "EIO");
        await refusesChanges(caller, ledger, stored);
      }
      const works = async () => (await ledger.create(caller, freshIds())).status === 200;
      await until("changes are taken again", works);
      await until("ready", async () => (await caller.get("/readyz")).status === 200);
      assert.equal((await ledger.associate(caller, stored, { customerId: "c" })).status, 200);
      await ledger.verify(caller, ledger.sessionIds());
    }
    await using server = await startServer({ dataDir: directory.path });
    using caller = createCaller(server.url);
    await ledger.verify(caller, ledger.sessionIds());
    verifyData(directory.path, ledger);
  });

  test(`a change refused because of EIO from ${calls} does not appear after a kill`, async () => {
    await using directory = temporaryDirectory();
    const ledger = createLedger();
    {
      await using server = await startServer({ dataDir: directory.path });
      using caller = createCaller(server.url);
      await ledger.create(caller, freshIds());
      const [stored = ""] = ledger.sessionIds();
      await using _ = await failCalls(server.pid, calls, "EIO");
      await refusesChanges(caller, ledger, stored);
      // No later change overwrites what this one may have left on disk, since the server is killed next.
      unavailable(await ledger.create(caller, freshIds()));
      await server.kill("SIGKILL");
    }
    await using server = await startServer({ dataDir: directory.path });
    using caller = createCaller(server.url);
    verifyData(directory.path, ledger);
    await ledger.verify(caller, ledger.sessionIds());
  });
}
