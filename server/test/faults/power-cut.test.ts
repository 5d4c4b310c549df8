// runs: faults
// needs: e2fsprogs, linux

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { compile } from "./compile.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { mountPrivately, type PrivateMount } from "./private-mount.ts";
import { openCopyOfStoredData } from "./stored-data.ts";

const CUTS = long ? 50 : 4;

/** No session may expire before it is looked at, however long the cuts take. */
const longLives = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

/** A machine with a disk of its own, an ext4 in a file, whose power can be cut. Needs root. */
interface Machine {
  readonly dataDir: string;
  /** Starts a server whose data are on the disk. */
  start(env?: Record<string, string>): Promise<ServerProcess>;
  /** What is not on the disk by now never comes there. */
  cutPower(): void;
  /** Mounts the disk again, as after a reboot: the file system replays its journal. */
  reboot(): void;
}

async function plugIn(folder: TemporaryDirectory): Promise<[Machine, PrivateMount]> {
  const image = join(folder.path, "disk");
  const dataDir = join(folder.path, "data");
  mkdirSync(dataDir);
  execFileSync("mkfs.ext4", ["-q", image, "64M"], { stdio: "pipe" });
  const powerCut = compile("power-cut.c", "program", folder.path);
  const mountArguments = ["-o", "loop", image, dataDir];
  const mount = await mountPrivately(...mountArguments);
  const machine: Machine = {
    dataDir,
    start: (env = {}) =>
      startServer({ dataDir, wrapper: mount.wrapper, env: { ...longLives, ...env } }),
    cutPower: () => mount.run(powerCut, dataDir),
    reboot() {
      mount.run("umount", dataDir);
      mount.run("mount", ...mountArguments);
    },
  };
  return [machine, mount];
}

/**
 * Runs a server under load until the power goes, and the machine until it is up again. Sessions of
 * the ledger from the one numbered `seen` on are verified first.
 */
async function runUntilPowerCut(
  machine: Machine,
  ledger: Ledger,
  random: Random,
  { seen = 0, env = {} }: { seen?: number; env?: Record<string, string> } = {},
): Promise<void> {
  {
    await using server = await machine.start(env);
    using caller = createCaller(server.url);
    await ledger.verify(caller, ledger.sessionIds().slice(seen));
    const load = startLoad(caller, ledger, { workers: 16, random });
    await load.moment(random.between(0, 600));
    // A machine and its disk lose their power at once. Were the server still running, an fsync under
    // way might come back from the dead file system with a success, and be answered with one.
    process.kill(server.pid, "SIGSTOP");
    await until("every thread has stopped", () => isStopped(server.pid), 10_000);
    machine.cutPower();
    await server.kill("SIGKILL");
    await load.over;
  }
  machine.reboot();
}

/** Whether no thread of a process runs, nor waits for a disk to come back to running (Linux). */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1")),
  );
}

test(`${CUTS} power cuts lose nothing that was acknowledged`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using folder = temporaryDirectory();
  const [machine, mount] = await plugIn(folder);
  await using _ = mount;
  const ledger = createLedger();
  let seen = 0;
  for (let i = 0; i < CUTS; i++) {
    const known = ledger.sessionIds().length;
    await runUntilPowerCut(machine, ledger, random, { seen });
    seen = known;
  }
  {
    await using server = await machine.start();
    using caller = createCaller(server.url);
    await ledger.verify(caller, ledger.sessionIds());
  }
  await using copy = temporaryDirectory();
  using stored = openCopyOfStoredData(mount.outside(machine.dataDir), copy.path);
  assert.deepEqual(stored.integrity(), ["ok"]);
  ledger.verifyCreates(stored);
  console.log(`${CUTS} power cuts, ${ledger.sessionIds().length} sessions acknowledged, 0 lost`);
});

test("the control: on a disk that lies about fsync the same power cut loses something", async () => {
  await using folder = temporaryDirectory();
  const [machine, mount] = await plugIn(folder);
  await using _ = mount;
  {
    // The data directory and its schema come to be on an honest disk.
    await using server = await machine.start();
    await server.kill("SIGTERM");
  }
  const ledger = createLedger();
  const LD_PRELOAD = compile("lying-fsync.c", "library", folder.path);
  await runUntilPowerCut(machine, ledger, createRandom(runSeed()), { env: { LD_PRELOAD } });
  const lost = await lostAfter(machine, ledger);
  assert.ok(lost > 0, "nothing was lost: these power cuts prove nothing");
  console.log(`the control lost ${lost} of ${ledger.sessionIds().length} sessions`);
});

/** How many acknowledged sessions are lost: all of them, when the data cannot be opened any more. */
async function lostAfter(machine: Machine, ledger: Ledger): Promise<number> {
  const started = await machine.start().catch(() => undefined);
  if (started === undefined) return ledger.sessionIds().length;
  await using server = started;
  using caller = createCaller(server.url);
  return (await ledger.lost(caller)).length;
}
