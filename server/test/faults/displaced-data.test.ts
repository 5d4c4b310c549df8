// runs: faults

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { run } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/*
 * Somebody restores, moves or removes the data folder while a server uses it. From then on the server must not
 * acknowledge changes that would be lost, and must not damage the new files.
 */

async function createSession(server: ServerProcess, customerId: string): Promise<number> {
  return (await createApi(server.url).create({ headers: { gkc_customerId: customerId } })).status;
}

/** Asserts that soon all changes are refused, and that the readiness probe and the log say why. */
async function assertRefuses(server: ServerProcess): Promise<void> {
  const api = createApi(server.url);
  const ready = () => api.call("GET", "/readyz");
  await eventually(async () => assert.equal((await ready()).status, 503));
  await eventually(async () => assert.match((await ready()).text, /moved or replaced/));
  for (let i = 0; i < 3; i++) assert.equal(await createSession(server, "too-late"), 503);
  // The pipe of the log can be slower than the response.
  await eventually(async () => assert.match(server.stderr(), /while the server ran.*[Ss]top the server/s));
}

const backupOf = (dataDir: string) => `${dataDir}-backup.db`;

/**
 * Starts a server, creates a session, makes a backup, creates sessions of another customer, and restores the backup while
 * the server runs. Returns the server.
 */
async function restoreWhileRunning(dataDir: string, way: "by its name" | "over its content"): Promise<ServerProcess> {
  const [file, backup] = [join(dataDir, "antechamber.db"), backupOf(dataDir)];
  mkdirSync(dataDir, { mode: 0o700 });
  const server = await startServer({ dataDir });
  assert.equal(await createSession(server, "before"), 200);
  const copied = await run(["backup", backup, "--data-dir", dataDir]);
  assert.equal(copied.code, 0, copied.stderr);
  for (let i = 0; i < 50; i++) assert.equal(await createSession(server, "after"), 200);
  if (way === "by its name") {
    const copy = `${dataDir}-copy.db`;
    copyFileSync(backup, copy);
    renameSync(copy, file);
  } else copyFileSync(backup, file);
  return server;
}

async function customers(server: ServerProcess): Promise<string[]> {
  const list = await createApi(server.url).call("GET", "/sessions");
  const { sessions } = JSON.parse(list.text) as { sessions: { customerId: string }[] };
  return [...new Set(sessions.map(({ customerId }) => customerId))].toSorted();
}

for (const way of ["by its name", "over its content"] as const) {
  test(`restoring a backup ${way} while a server runs stops changes and leaves the restored data intact`, async () => {
    await using directory = temporaryDirectory();
    const dataDir = join(directory.path, "data");
    await using server = await restoreWhileRunning(dataDir, way);
    await assertRefuses(server);
    assert.deepEqual(await server.kill("SIGTERM"), { code: 0, signal: null });
    const [file, backup] = [join(dataDir, "antechamber.db"), backupOf(dataDir)].map((path) => readFileSync(path));
    assert.deepEqual(file, backup, "not a byte of it was touched");
    const doctor = await run(["doctor", "--data-dir", dataDir]);
    assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
    await using next = await startServer({ dataDir });
    assert.deepEqual(await customers(next), ["before"]);
    assert.equal(await createSession(next, "later"), 200);
  });

  test(`a backup restored ${way} while a server runs is also intact if the server is killed`, async () => {
    await using directory = temporaryDirectory();
    const dataDir = join(directory.path, "data");
    await using server = await restoreWhileRunning(dataDir, way);
    await assertRefuses(server);
    await server.kill("SIGKILL");
    await using next = await startServer({ dataDir });
    assert.deepEqual(await customers(next), ["before"]);
  });
}

test("a server whose log was truncated refuses changes, and does not damage the database", async () => {
  await using directory = temporaryDirectory();
  const dataDir = directory.path;
  await using server = await startServer({ dataDir });
  for (let i = 0; i < 50; i++) assert.equal(await createSession(server, `lost ${i}`), 200);
  truncateSync(join(dataDir, "antechamber.db-wal"));
  await assertRefuses(server);
  assert.deepEqual(await server.kill("SIGTERM"), { code: 0, signal: null });
  const doctor = await run(["doctor", "--data-dir", dataDir]);
  assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
});

test("a server whose folder was removed refuses changes, and does not disturb a new server in that folder", async () => {
  await using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  await using server = await startServer({
    dataDir: directory.path,
    args: ["--data-dir", dataDir],
  });
  assert.equal(await createSession(server, "before"), 200);
  rmSync(dataDir, { recursive: true });
  await assertRefuses(server);
  await using second = await startServer({
    dataDir: directory.path,
    args: ["--data-dir", dataDir],
  });
  assert.equal(await createSession(second, "second"), 200);
  assert.deepEqual(await server.kill("SIGTERM"), { code: 0, signal: null });
  const listed = await run(["sessions", "list", "--json", "--data-dir", dataDir]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(listed.stdout, /"customerId":"second"/);
  assert.equal(await createSession(second, "second"), 200);
  await second.kill("SIGTERM");
  await using third = await startServer({ dataDir: directory.path, args: ["--data-dir", dataDir] });
  assert.deepEqual(await customers(third), ["second"]);
});

test("after its folder was moved away and back, the server stores changes again and has lost nothing", async () => {
  await using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  await using server = await startServer({
    dataDir: directory.path,
    args: ["--data-dir", dataDir],
  });
  assert.equal(await createSession(server, "before"), 200);
  renameSync(dataDir, `${dataDir}-away`);
  await assertRefuses(server);
  renameSync(`${dataDir}-away`, dataDir);
  await eventually(async () => assert.equal(await createSession(server, "after"), 200));
  await server.kill("SIGKILL");
  await using next = await startServer({ dataDir: directory.path, args: ["--data-dir", dataDir] });
  assert.deepEqual(await customers(next), ["after", "before"]);
});

test("a server stopped while its folder is elsewhere leaves complete data there", async () => {
  await using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  const away = join(directory.path, "away");
  await using server = await startServer({
    dataDir: directory.path,
    args: ["--data-dir", dataDir],
  });
  for (let i = 0; i < 50; i++) assert.equal(await createSession(server, "before"), 200);
  renameSync(dataDir, away);
  await assertRefuses(server);
  await server.kill("SIGTERM");
  assert.ok(!existsSync(dataDir), "nothing was made in its place");
  await using next = await startServer({ dataDir: directory.path, args: ["--data-dir", away] });
  assert.deepEqual(await customers(next), ["before"]);
});

for (const name of ["lock", "antechamber.db-wal", "antechamber.db-shm"]) {
  test(`if ${name} is missing, the server stores no changes, and loses no stored data`, async () => {
    await using directory = temporaryDirectory();
    await using server = await startServer({ dataDir: directory.path });
    assert.equal(await createSession(server, "before"), 200);
    rmSync(join(directory.path, name));
    await assertRefuses(server);
    await server.kill("SIGKILL");
    await using next = await startServer({ dataDir: directory.path });
    assert.deepEqual(await customers(next), ["before"]);
  });
}
