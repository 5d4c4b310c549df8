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

const CUTS = long ? 50 : 3;

/** No session may expire before it is verified, however long the power cuts take. */
const longLives = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

/** A simulated machine whose power can be cut. Its disk is an ext4 file system in a file. Needs root. */
interface Machine {
  readonly dataDir: string;
  /** Starts a server whose data are on this disk. */
  start(env?: Record<string, string>): Promise<ServerProcess>;
  /** Cuts the power: data that are not on the disk yet are lost. */
  cutPower(): void;
  /** Mounts the disk again; the file system then replays its journal. */
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
    start: (env = {}) => startServer({ dataDir, wrapper: mount.wrapper, env: { ...longLives, ...env } }),
    cutPower: () => mount.run(powerCut, dataDir),
    reboot() {
      mount.run("umount", dataDir);
      mount.run("mount", ...mountArguments);
    },
  };
  return [machine, mount];
}

/**
 * Starts a server, verifies the ledger's sessions from index `seen` on, cuts the power under load, and mounts the disk
 * again.
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
    // A machine loses its power together with its disk, so the server stops first. Otherwise it could acknowledge a
    // change whose fsync succeeds only because the file system is shut down.
    process.kill(server.pid, "SIGSTOP");
    await until("every thread has stopped", () => isStopped(server.pid));
    machine.cutPower();
    await server.kill("SIGKILL");
    await load.over;
  }
  machine.reboot();
}

/** Returns whether every thread of the process is stopped, so that none still waits for the disk (Linux). */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) =>
    /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1")),
  );
}

test(`${CUTS} power cuts lose no acknowledged change`, async () => {
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

test("control: on a disk that lies about fsync, the same power cut loses acknowledged changes", async () => {
  await using folder = temporaryDirectory();
  const [machine, mount] = await plugIn(folder);
  await using _ = mount;
  {
    // The data directory is created with a real fsync, so that only changes can be lost.
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

/** Returns how many acknowledged sessions are lost; if no server can open the data, all are. */
async function lostAfter(machine: Machine, ledger: Ledger): Promise<number> {
  const started = await machine.start().catch(() => undefined);
  if (started === undefined) return ledger.sessionIds().length;
  await using server = started;
  using caller = createCaller(server.url);
  return (await ledger.lost(caller)).length;
}
