// runs: faults

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { launcher, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { mountPrivately, type PrivateMount } from "./private-mount.ts";

/** Runs a command of Antechamber in the namespace of the mount. */
function runInside(mount: PrivateMount, ...args: string[]): { code: number; output: string } {
  const [program = "", ...rest] = [...mount.wrapper, launcher, ...args];
  try {
    return { code: 0, output: execFileSync(program, rest, { stdio: "pipe", encoding: "utf8" }) };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, output: stdout + stderr };
  }
}

test("data on a read-only file system can be checked, backed up and migrated, but not served", async () => {
  await using directory = temporaryDirectory();
  await using target = temporaryDirectory();
  const dataDir = directory.path;
  await using mount = await mountPrivately("-t", "tmpfs", "-o", "size=32m", "tmpfs", dataDir);
  {
    await using server = await startServer({ dataDir, wrapper: mount.wrapper });
    const headers = { gkc_customerId: "kept" };
    assert.equal((await createApi(server.url).create({ headers })).status, 200);
    await server.kill();
  }
  mount.run("mount", "-o", "remount,ro", dataDir);
  const doctor = runInside(mount, "doctor", "--data-dir", dataDir);
  assert.equal(doctor.code, 0, doctor.output);
  assert.match(doctor.output, /\nsessions +1\n/);

  const copy = join(target.path, "antechamber.db");
  const backup = runInside(mount, "backup", copy, "--data-dir", dataDir);
  assert.equal(backup.code, 0, backup.output);

  const to = join(target.path, "moved");
  const moved = runInside(mount, "migrate", "--from", `sqlite:${dataDir}`, "--to", `sqlite:${to}`);
  assert.equal(moved.code, 0, moved.output);
  assert.match(moved.output, /sessions +1 +1 +equal/);

  for (const command of [
    ["serve", "--port", "0"],
    ["keys", "list"],
  ]) {
    const refused = runInside(mount, ...command, "--data-dir", dataDir);
    assert.equal(refused.code, 4, refused.output);
    assert.match(refused.output, /mounted read-only/);
  }
});

test("a backup reports that the disk of its target folder is full", async () => {
  await using directory = temporaryDirectory();
  await using place = temporaryDirectory();
  const dataDir = directory.path;
  await using mount = await mountPrivately("-t", "tmpfs", "-o", "size=64k", "tmpfs", place.path);
  {
    await using server = await startServer({ dataDir, wrapper: mount.wrapper });
    assert.equal((await createApi(server.url).create()).status, 200);
    await server.kill();
  }
  writeFileSync(join(mount.outside(place.path), "ballast"), Buffer.alloc(30_000));
  const file = join(place.path, "copy.db");
  const { code, output } = runInside(mount, "backup", file, "--data-dir", dataDir);
  assert.equal(code, 1, output);
  assert.ok(output.includes(`the disk of ${place.path}, the folder of the backup, is full`), output);
  assert.doesNotMatch(output, /partial|database or disk/);
});
