// runs: once
// needs: linux

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { createApi } from "../support/api.ts";
import { type Result, run, runHere } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";
import { launcher, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/*
 * If data are damaged or may not be read, each command ends with status 4 and says which file is concerned, why, and
 * what to do. It never reports a file without access rights as absent, and never prints SQLite's own messages, which
 * do not name the file and can quote its content.
 */

/** Matches SQLite's own messages, and content of the damaged file. */
const RAW = /disk image|malformed|not an error|unable to open|readonly database|SQL logic|customer-x/;
/** The id of a user without access rights to the data. */
const NOBODY = 65_534;

/** Every command that reads the data, without its last argument, the data folder. */
const commands: readonly (readonly string[])[] = [
  ["serve", "--port", "0", "--data-dir"],
  ["keys", "list", "--data-dir"],
  ["sessions", "list", "--data-dir"],
  ["audit", "verify", "--data-dir"],
  ["doctor", "--data-dir"],
];

async function assertRefused(
  dataDir: string,
  file: string,
  options: { readonly nobody?: boolean; readonly doctor?: number } = {},
): Promise<void> {
  const backup = ["backup", join(dataDir, "..", "copy.db"), "--data-dir"];
  await Promise.all(
    [...commands, backup].map(async (command) => {
      const args = [...command, dataDir];
      const isHere = options.nobody !== true && command[0] !== "serve";
      const { code, stdout, stderr } = isHere ? await runHere(args) : await runAs(options.nobody === true, args);
      const output = `${command.join(" ")}: ${stdout}${stderr}`;
      const isDoctor = command[0] === "doctor";
      assert.equal(code, isDoctor ? (options.doctor ?? 4) : 4, output);
      assert.ok(output.includes(file), output);
      assert.doesNotMatch(output, RAW);
      assert.doesNotMatch(output, /no server has run/);
    }),
  );
}

/** Runs a command; for `isNobody` without root's rights, which access rights do not restrict. */
async function runAs(isNobody: boolean, args: readonly string[]): Promise<Result> {
  if (!isNobody || process.getuid?.() !== 0) return run(args);
  const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  try {
    const env = { PATH: process.env.PATH, ANTECHAMBER_RUNTIME: process.env.ANTECHAMBER_RUNTIME };
    const options = { env: { ...env, HOME: "/tmp" }, stdio: "pipe", encoding: "utf8" } as const;
    const stdout = execFileSync("setpriv", [...ids, launcher, ...args], options);
    return { code: 0, stdout, stderr: "" };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, stdout, stderr };
  }
}

/** Gives every user access to the temporary folders on a path. */
function openTo(path: string): void {
  chmodSync(path, 0o755);
  chmodSync(dirname(path), 0o711);
}

/** Creates a data folder with a server, stops the server, and returns the folder. */
async function makeData(path: string): Promise<string> {
  const dataDir = join(path, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  await using server = await serve({ config: { dataDir } });
  for (let i = 0; i < 40; i++) {
    const headers = { gkc_customerId: `customer-${i}` };
    assert.equal((await createApi(server.url).create({ headers })).status, 200);
  }
  await server.stop();
  return dataDir;
}

/** Kinds of damage, each with a function that damages a database file. */
const damages: Readonly<Record<string, (file: string) => void>> = {
  "a beginning that is no database's": (file) => {
    writeSync(openSync(file, "r+"), "not a database at all", 0);
  },
  "pages that are damaged": (file) => {
    const handle = openSync(file, "r+");
    const pages = statSync(file).size / 4096;
    for (let i = 1; i < pages; i++) writeSync(handle, Buffer.alloc(2000, 0xa5), 0, 2000, i * 4096);
  },
  "a schema that is damaged": (file) => {
    const at = readFileSync(file).indexOf("CREATE TABLE audit");
    writeSync(openSync(file, "r+"), '{"who":"customer-x"', at);
  },
  "an end that is missing": (file) => {
    truncateSync(file, 9000);
  },
};

for (const [name, damage] of Object.entries(damages)) {
  test(`${name}: every command ends with status 4 and says what to do`, async () => {
    await using directory = temporaryDirectory();
    const dataDir = await makeData(directory.path);
    const file = join(dataDir, "antechamber.db");
    damage(file);
    // Only `doctor` ends with 1, because finding damage is its purpose.
    await assertRefused(dataDir, file, { doctor: 1 });
    const { stderr } = await runHere(["keys", "list", "--data-dir", dataDir]);
    assert.match(stderr, /damaged.*antechamber doctor.*restore the latest backup/);
    const args = ["--from", `sqlite:${dataDir}`, "--to", `sqlite:${join(directory.path, "to")}`];
    const moved = await runHere(["migrate", ...args]);
    assert.equal(moved.code, 4, moved.stderr);
    assert.ok(!existsSync(join(directory.path, "to")), "a move that is refused leaves nothing");
  });
}

test("damage that only the writer thread finds also ends the start of a server with status 4", async () => {
  await using directory = temporaryDirectory();
  const dataDir = await makeData(directory.path);
  const file = join(dataDir, "antechamber.db");
  const database = new DatabaseSync(file);
  const row = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'index_log'").get();
  database.close();
  const at = (Number(row?.["rootpage"]) - 1) * 4096;
  writeSync(openSync(file, "r+"), Buffer.alloc(3000, 0xa5), 0, 3000, at);
  for (const command of [
    ["serve", "--port", "0"],
    ["sessions", "list"],
  ]) {
    const { code, stderr } = await run([...command, "--data-dir", dataDir]);
    assert.equal(code, 4, stderr);
    assert.ok(stderr.includes(`${file} is damaged`), stderr);
  }
});

test("a folder or file without access rights is not reported as absent", async () => {
  await using directory = temporaryDirectory();
  const dataDir = await makeData(directory.path);
  openTo(directory.path);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) chmodSync(dataDir, 0);
  await assertRefused(dataDir, dataDir, { nobody: true });
  chmodSync(dataDir, 0o755);
  if (!isRoot) chmodSync(join(dataDir, "antechamber.db"), 0);
  const doctor = await runAs(true, ["doctor", "--data-dir", dataDir]);
  assert.equal(doctor.code, 4);
  assert.match(doctor.stderr, /The user with the id \d+ may not read \S+antechamber\.db\. Run/);
  chmodSync(join(dataDir, "antechamber.db"), 0o600);
});

test("a control socket without access rights does not count as a missing server", async () => {
  await using directory = temporaryDirectory();
  await using server = await startServer({ dataDir: directory.path });
  openTo(directory.path);
  const socket = join(directory.path, "control.sock");
  if (process.getuid?.() !== 0) chmodSync(socket, 0);
  const { code, stderr } = await runAs(true, ["sessions", "list", "--data-dir", server.dataDir]);
  assert.equal(code, 4, stderr);
  assert.match(stderr, /The user with the id \d+ may not read \S+control\.sock/);
  chmodSync(socket, 0o600);
});

test("the error for a database of mode 0444 names the file, which works once it is writable again", async () => {
  await using directory = temporaryDirectory();
  const dataDir = await makeData(directory.path);
  const file = join(dataDir, "antechamber.db");
  chmodSync(file, 0o444);
  openTo(directory.path);
  if (process.getuid?.() === 0) {
    chownSync(dataDir, NOBODY, NOBODY);
    for (const name of readdirSync(dataDir)) chownSync(join(dataDir, name), NOBODY, NOBODY);
  }
  const before = readdirSync(dataDir);
  const { code, stderr } = await runAs(true, ["serve", "--port", "0", "--data-dir", dataDir]);
  assert.equal(code, 4, stderr);
  assert.ok(stderr.includes(`may not write to ${file}`), stderr);
  assert.match(stderr, /chmod u\+rwX/);
  assert.deepEqual(readdirSync(dataDir), before, "it leaves nothing beside it");
  // Earlier releases left read-only `-shm` files.
  writeFileSync(`${file}-shm`, "", { mode: 0o444 });
  if (process.getuid?.() === 0) chownSync(`${file}-shm`, NOBODY, NOBODY);
  chmodSync(file, 0o600);
  const listed = await runAs(true, ["keys", "list", "--data-dir", dataDir]);
  assert.equal(listed.code, 0, listed.stderr);
});

test("a backup says what is wrong with its folder, without internal file names", async () => {
  await using directory = temporaryDirectory();
  const dataDir = await makeData(directory.path);
  const target = join(directory.path, "nosuch", "copy.db");
  const { code, stderr } = await runHere(["backup", target, "--data-dir", dataDir]);
  assert.equal(code, 1);
  assert.match(stderr, /there is no folder .*nosuch: create it/);
  assert.doesNotMatch(stderr, /partial|ENOENT/);
});

test("a migration into a folder that cannot be created ends with status 4", async () => {
  await using directory = temporaryDirectory();
  const dataDir = await makeData(directory.path);
  const target = join(directory.path, "file", "to");
  writeFileSync(join(directory.path, "file"), "");
  const args = ["migrate", "--from", `sqlite:${dataDir}`, "--to", `sqlite:${target}`];
  const { code, stderr } = await runHere(args);
  assert.equal(code, 4, stderr);
  assert.doesNotMatch(stderr, /ENOTDIR|EACCES/);
});

test("doctor counts records that are still in the journal, and reports an incomplete migration", async () => {
  await using directory = temporaryDirectory();
  await using server = await startServer({ dataDir: directory.path });
  const api = createApi(server.url);
  const { sessionId } = JSON.parse((await api.create()).text) as { sessionId: string };
  const json = [1, 2, 3].map((i) => ({ method: "GET", path: `/${i}` }));
  const recorded = await api.call("POST", `/sessions/${sessionId}/requests?durable=true`, { json });
  assert.equal(recorded.status, 202, recorded.text);
  await server.kill("SIGKILL");
  // After the kill, the records are still in the journal; the copy is not locked by any server.
  const copy = join(directory.path, "copy");
  mkdirSync(copy);
  for (const name of ["antechamber.db", "antechamber.db-wal"]) {
    copyFileSync(join(directory.path, name), join(copy, name));
  }
  const first = await runHere(["doctor", "--data-dir", copy]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /\nrecords +3\nof them in the journal +3\n/);
  assert.doesNotMatch(first.stdout, /\nmove /);
  const database = new DatabaseSync(join(copy, "antechamber.db"));
  database.exec(`UPDATE facts SET import_cursor = '{"from":"sqlite:/srv/old","next":null}'`);
  database.close();
  const second = await runHere(["doctor", "--data-dir", copy]);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /\nmove +not complete: from sqlite:\/srv\/old; .*antechamber migrate/);
});
