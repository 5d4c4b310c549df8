// runs: faults

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { type Caller, createCaller, unavailable } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { mountPrivately } from "./private-mount.ts";
import { openCopyOfStoredData } from "./stored-data.ts";

/** Returns ids of the maximum length, which fill the disk faster. */
function longIds() {
  const pad = (id: string) => id.padEnd(256, "-");
  return {
    customerId: pad(randomUUID()),
    visitId: pad(randomUUID()),
    globalVisitId: pad(randomUUID()),
  };
}

/** Creates sessions, 16 at a time, until `enough` responses report a full disk. */
async function fillDisk(caller: Caller, ledger: Ledger, enough: number): Promise<void> {
  let refusals = 0;
  const fill = async () => {
    while (refusals < enough) {
      const answer = await ledger.create(caller, longIds());
      if (answer.status === 200) continue;
      unavailable(answer);
      refusals++;
    }
  };
  await Promise.all(Array.from({ length: 16 }, fill));
}

/** Writes a file that takes all the space that is left. */
function takeAllSpace(path: string): void {
  assert.throws(() => writeFileSync(path, Buffer.alloc(16 * 1024 * 1024)), { code: "ENOSPC" });
}

/** Asserts that a server on a full disk still serves stored and implicit sessions. */
async function assertStillServes(caller: Caller, ledger: Ledger): Promise<void> {
  const stored = ledger.sessionIds();
  await ledger.verify(caller, [...stored.slice(0, 200), ...stored.slice(-200)]);
  const anonymous = await ledger.createAnonymous(caller);
  assert.equal(sessionOf(await caller.retrieve(anonymous)).sessionId, anonymous);
  sessionOf(await caller.retrieve("unknown"));
  unavailable(await ledger.associate(caller, anonymous, longIds()));
  assert.equal((await caller.get("/healthz")).status, 200);
  await until("not ready", async () => (await caller.get("/readyz")).status === 503);
}

/** Asserts that one log line, without a stack, reports the full disk, although a few small writes still succeed. */
function assertOneOutageLogged(log: string): void {
  const outages = log.split("\n").filter((line) => line.includes("does not take writes"));
  assert.equal(outages.length, 1, log);
  assert.match(outages[0] ?? "", /The disk of \S+ is full/);
  assert.doesNotMatch(outages[0] ?? "", /\\n +at |bunfs/);
}

test("on a full disk, changes are refused and sessions can be read, also after a restart; with free space, changes work again", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  await using mount = await mountPrivately("-t", "tmpfs", "-o", "size=16m", "tmpfs", dataDir);
  const data = mount.outside(dataDir);
  const ballast = join(data, "ballast");
  writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
  const ledger = createLedger();
  const options = { dataDir, wrapper: mount.wrapper, env: { ANTECHAMBER_CACHE_SESSIONS: "10" } };
  {
    await using server = await startServer(options);
    using caller = createCaller(server.url);
    await fillDisk(caller, ledger, 200);
    await assertStillServes(caller, ledger);

    rmSync(ballast);
    const works = async () => (await ledger.create(caller, longIds())).status === 200;
    await until("changes are taken again", works);
    await until("ready", async () => (await caller.get("/readyz")).status === 200);
    await ledger.verify(caller, ledger.sessionIds());
    assertOneOutageLogged(server.stderr());
    takeAllSpace(ballast);
    await fillDisk(caller, ledger, 200);
  }
  {
    // The server was killed while the disk was full.
    await using server = await startServer(options);
    using caller = createCaller(server.url);
    await assertStillServes(caller, ledger);
    rmSync(ballast);
    await until("ready", async () => (await caller.get("/readyz")).status === 200);
    await ledger.verify(caller, ledger.sessionIds());
  }
  await using copy = temporaryDirectory();
  using stored = openCopyOfStoredData(data, copy.path);
  assert.deepEqual(stored.integrity(), ["ok"]);
  ledger.verifyCreates(stored);
});
