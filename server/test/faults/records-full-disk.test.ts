// runs: faults

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sessionOf } from "../support/api.ts";
import { type Caller, createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { mountPrivately } from "./private-mount.ts";
import { createRecordSender, type RecordSender } from "./record-ledger.ts";

const MiB = 1024 * 1024;

/** Sends durable records until the disk is full. */
async function fillDisk(sender: RecordSender, sessionId: string): Promise<void> {
  const long = Array.from({ length: 100 }, (_, i) => `/${i}/`.padEnd(7000, "x"));
  for (let refusals = 0; refusals < 3; ) {
    const status = await sender.send(sessionId, long, true);
    if (status === 503) refusals++;
    else assert.equal(status, 202);
  }
}

test("on a full disk records are still accepted, and are stored once there is space again", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  await using mount = await mountPrivately("-t", "tmpfs", "-o", "size=24m", "tmpfs", dataDir);
  const ballast = join(mount.outside(dataDir), "ballast");
  writeFileSync(ballast, Buffer.alloc(12 * MiB));
  const kept: string[] = [];
  let sessionId = "";
  {
    const env = { ANTECHAMBER_FORWARD_AUTH_SOURCES: "query" };
    await using server = await startServer({ dataDir, env, wrapper: mount.wrapper });
    using sender = createRecordSender(server.url);
    using caller = createCaller(server.url);
    sessionId = sessionOf(await caller.create()).sessionId;
    const send = async (count: number) => {
      const paths = Array.from({ length: count }, () => `/${randomUUID()}`);
      assert.equal(await sender.send(sessionId, paths, false), 202);
      kept.push(...paths);
    };
    await send(100);
    assert.deepEqual(await sender.paths(sessionId), kept);
    await fillDisk(sender, sessionOf(await caller.create()).sessionId);

    for (let i = 0; i < 20; i++) await send(50);
    assert.equal(await sender.send(sessionId, ["/x"], true), 503);
    await assertStillServes(caller, sender, sessionId, kept);
    // `assertStillServes` has sent a request for this path to /forward-auth, which recorded it.
    kept.push("/page");

    rmSync(ballast);
    const isStored = async () => (await sender.paths(sessionId)).length >= kept.length;
    await until("what was accepted is stored", isStored);
    assert.deepEqual(await sender.paths(sessionId), kept);
    await send(10);
    assert.deepEqual(await server.kill("SIGTERM"), { code: 0, signal: null });
  }
  await using server = await startServer({ dataDir, wrapper: mount.wrapper });
  using sender = createRecordSender(server.url);
  assert.deepEqual(await sender.paths(sessionId), kept);
});

/**
 * Asserts that sessions, /forward-auth and timelines still work; a timeline shows only stored records. These are the
 * first ones of `accepted`: at least those from before the disk was full, and perhaps some that still had room.
 */
async function assertStillServes(
  caller: Caller,
  sender: RecordSender,
  sessionId: string,
  accepted: readonly string[],
): Promise<void> {
  assert.equal(sessionOf(await caller.retrieve(sessionId)).sessionId, sessionId);
  sessionOf(await caller.retrieve("unknown"));
  const stored = await sender.paths(sessionId);
  assert.ok(stored.length >= 100 && stored.length < accepted.length, `${stored.length} records`);
  assert.deepEqual(stored, accepted.slice(0, stored.length));
  const forwarded = await caller.get(`/forward-auth/page?sessionId=${sessionId}`);
  assert.equal(forwarded.status, 200);
  assert.equal(forwarded.headers.get("gkc-sessionid"), sessionId);
  assert.equal((await caller.get("/forward-auth/first")).status, 200);
  await until("not ready", async () => (await caller.get("/readyz")).status === 503);
}
