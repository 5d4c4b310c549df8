// runs: once

import assert from "node:assert/strict";
import { copyFileSync, existsSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { backup } from "../../src/store/sqlite/offline/backup.ts";
import { runHere, succeed, succeedJson } from "../support/command-line.ts";
import { serve } from "../support/in-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Report {
  readonly sound: boolean;
  readonly serverRuns: boolean;
  readonly faults: readonly string[];
  readonly counts?: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, number>>;
}

async function create(url: string, customer: string): Promise<string> {
  const headers = { gkc_customerId: customer };
  const response = await fetch(`${url}/sessions/new`, { method: "PUT", headers });
  assert.equal(response.status, 200);
  return ((await response.json()) as { sessionId: string }).sessionId;
}

/** Creates sessions one after the other until `signal` aborts; returns their number. */
async function writeUntil(signal: AbortSignal, url: string): Promise<number> {
  let written = 0;
  for (; !signal.aborted; written++) await create(url, "later");
  return written;
}

test("a backup during writes has all data from before it began", async () => {
  await using server = await serve();
  await using folder = temporaryDirectory();
  const file = join(folder.path, "copy.db");
  const data = ["--data-dir", server.dataDir];
  const before = await Promise.all(Array.from({ length: 200 }, (_, i) => create(server.url, `c${i}`)));
  const copied = new AbortController();
  const writing = writeUntil(copied.signal, server.url);
  const { bytes } = await succeedJson<{ bytes: number }>(["backup", file, ...data]);
  copied.abort();
  assert.ok((await writing) > 0);
  assert.equal(statSync(file).size, bytes);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder.path), ["copy.db"]);

  await using restored = temporaryDirectory();
  copyFileSync(file, join(restored.path, "antechamber.db"));
  const report = await succeedJson<Report>(["doctor", "--data-dir", restored.path]);
  assert.equal(report.sound, true);
  await using second = await serve({ config: { dataDir: restored.path } });
  for (const [i, id] of before.entries()) {
    const headers = { gkc_customerId: `c${i}` };
    const response = await fetch(`${second.url}/sessions/${id}`, { headers });
    assert.equal(((await response.json()) as { sessionId: string }).sessionId, id);
  }
});

test("a backup overwrites no existing file, and leaves no incomplete file if it fails", async () => {
  await using server = await serve();
  await using folder = temporaryDirectory();
  const data = ["--data-dir", server.dataDir];
  const file = join(folder.path, "copy.db");
  await succeed(["backup", file, ...data]);
  const { mtimeMs } = statSync(file);
  const again = await runHere(["backup", file, ...data]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /copy\.db exists; a backup replaces nothing/);
  assert.equal(statSync(file).mtimeMs, mtimeMs);
  const nowhere = await runHere(["backup", join(folder.path, "missing", "copy.db"), ...data]);
  assert.equal(nowhere.code, 1);
  assert.doesNotMatch(nowhere.stderr, /\n\s+at /);
  assert.deepEqual(readdirSync(folder.path), ["copy.db"]);
});

test("an interrupted backup removes its incomplete file", async () => {
  await using server = await serve();
  await using folder = temporaryDirectory();
  await create(server.url, "a");
  const stopped = new AbortController();
  const onProgress = () => stopped.abort(new Error("enough"));
  const file = join(folder.path, "copy.db");
  const copying = backup(server.dataDir, file, { onProgress, signal: stopped.signal });
  await assert.rejects(copying, /enough/);
  assert.deepEqual(readdirSync(folder.path), []);
});

test("doctor shows sizes and counts, with and without a server, and changes nothing", async () => {
  await using folder = temporaryDirectory();
  const args = ["doctor", "--data-dir", folder.path];
  {
    await using server = await serve({ config: { dataDir: folder.path } });
    const first = await create(server.url, "a");
    await create(server.url, "b");
    await succeed(["sessions", "end", first, "--data-dir", folder.path]);
    await succeed(["keys", "create", "--role", "reporter", "--data-dir", folder.path]);
    const report = await succeedJson<Report>(args);
    assert.equal(report.serverRuns, true);
    assert.deepEqual(report.counts, {
      sessions: 2,
      live: 1,
      ended: 1,
      expired: 0,
      recognized: 1,
      withData: 0,
      records: 0,
      recordsInJournal: 0,
      keys: 1,
      secrets: 1,
      auditEntries: 2,
      events: 3,
      webhooks: 0,
      pendingDeliveries: 0,
      failedDeliveries: 0,
    });
    await server.stop();
  }
  const database = join(folder.path, "antechamber.db");
  const { mtimeMs, size } = statSync(database);
  const report = await succeedJson<Report>(args);
  assert.deepEqual([report.sound, report.serverRuns, report.faults], [true, false, []]);
  const members = ["sound", "file", "sizes", "sqliteVersion", "schemaVersion", "unfinishedMove"];
  const others = ["faults", "retention", "counts", "keptFor", "serverRuns"];
  assert.deepEqual(Object.keys(report), [...members, ...others]);
  assert.ok((report.sizes["database"] ?? 0) > 0);
  assert.match(await succeed(args), /\nintegrity +ok\n$/);
  assert.deepEqual([statSync(database).mtimeMs, statSync(database).size], [mtimeMs, size]);
});

test("doctor finds damage and ends with 1", async () => {
  await using folder = temporaryDirectory();
  {
    await using server = await serve({ config: { dataDir: folder.path } });
    await Promise.all(Array.from({ length: 300 }, (_, i) => create(server.url, `c${i}`)));
    await server.stop();
  }
  // A backup is a single file without a write-ahead log, so the test can damage any database page of it.
  const sound = join(folder.path, "sound.db");
  await succeed(["backup", sound, "--data-dir", folder.path]);
  const pages = statSync(sound).size / 4096;
  for (const [name, offset] of [
    ["header", 0],
    ["page", (pages - 2) * 4096],
  ] as const) {
    await using damaged = temporaryDirectory();
    const database = join(damaged.path, "antechamber.db");
    copyFileSync(sound, database);
    writeSync(openSync(database, "r+"), Buffer.alloc(2048, 0xa5), 0, 2048, offset);
    const args = ["doctor", "--data-dir", damaged.path];
    const { code, stdout, stderr } = await runHere(args);
    assert.equal(code, 1, `${name}: ${stdout}${stderr}`);
    assert.match(stdout, /\nintegrity +damaged\n {2}\S/);
    assert.match(stderr, /the data is damaged: stop the server/);
    const json = await runHere([...args, "--json"]);
    const report = JSON.parse(json.stdout) as Report;
    assert.equal(report.sound, false);
    assert.ok(report.faults.length > 0);
  }
});

test("doctor refuses data of a later release", async () => {
  await using folder = temporaryDirectory();
  const database = join(folder.path, "antechamber.db");
  {
    await using server = await serve({ config: { dataDir: folder.path } });
    await server.stop();
  }
  const { DatabaseSync } = await import("node:sqlite");
  const connection = new DatabaseSync(database);
  connection.exec("PRAGMA user_version = 999");
  connection.close();
  for (const args of [["doctor"], ["backup", join(folder.path, "c.db")], ["keys", "list"], ["serve"]]) {
    const { code, stderr } = await runHere([...args, "--data-dir", folder.path]);
    assert.equal(code, 4, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, /schema 999/);
  }
  assert.ok(!existsSync(join(folder.path, "c.db")));
});
