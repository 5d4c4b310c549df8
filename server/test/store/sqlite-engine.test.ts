import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Refusal } from "../../src/session/errors.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import { StoreOpenError, type StoreOpenFault } from "../../src/store/open-error.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { openSqliteStore, type SqliteStoreOptions } from "../../src/store/sqlite/sqlite-store.ts";
import { DAY, ids, lifetimes, START } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);

function open(dataDir: string, more: Partial<SqliteStoreOptions> = {}): StoreEngine {
  return openSqliteStore({
    dataDir,
    lifetimes,
    maxRecords: 100,
    retention: 14 * DAY,
    cacheSessions: 1000,
    maxPending: 10_000,
    timeout: 30_000,
    events: {
      committed: () => undefined,
      failed: () => undefined,
      recordsLost: () => undefined,
      credentialsChanged: () => undefined,
      noticed: () => undefined,
      suspended: () => undefined,
    },
    now: START,
    ...more,
  });
}

function session(visitId: string) {
  const { id, createdAt } = issuer.issue(START);
  return newSession(id, createdAt, ids({ visitId }), lifetimes);
}

/** Opening must fail for this reason, with a message that names the folder or what to do. */
function refuses(dataDir: string, fault: StoreOpenFault): void {
  assert.throws(
    () => open(dataDir),
    (error) => {
      assert.ok(error instanceof StoreOpenError, String(error));
      assert.equal(error.fault, fault);
      return true;
    },
  );
}

/** One value out of the database file. */
function read(dataDir: string, sql: string): unknown {
  const database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  try {
    return Object.values(database.prepare(sql).get() ?? {})[0];
  } finally {
    database.close();
  }
}

test("SQLite: a second server on the data directory is refused until the first has closed", async () => {
  await using directory = temporaryDirectory();
  const first = open(directory.path);
  refuses(directory.path, "in-use");
  refuses(directory.path, "in-use");
  assert.deepEqual(await first.create(session("v"), START), { outcome: "created" });
  await first.close();
  await open(directory.path).close();
});

test("SQLite: the data directory is made, for its owner alone", async () => {
  await using directory = temporaryDirectory();
  const dataDir = join(directory.path, "deep", "data");
  await open(dataDir).close();
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
});

test("SQLite: a data directory that is a file is refused", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "file");
  writeFileSync(file, "");
  refuses(file, "inaccessible");
});

test("SQLite: every commit waits for the disk, in WAL mode, and the file is whole", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  for (let i = 0; i < 50; i++) await store.create(session(`v${i}`), START);
  assert.equal(read(directory.path, "PRAGMA journal_mode"), "wal");
  await store.close();
  assert.equal(read(directory.path, "PRAGMA integrity_check"), "ok");
  assert.equal(read(directory.path, "SELECT count(*) FROM sessions"), 50);
});

test("SQLite: a schema of a later release is refused, and the file left as it is", async () => {
  await using directory = temporaryDirectory();
  await open(directory.path).close();
  const database = new DatabaseSync(join(directory.path, "antechamber.db"));
  database.exec("PRAGMA user_version = 999");
  database.close();
  refuses(directory.path, "unknown-schema");
  assert.equal(read(directory.path, "PRAGMA user_version"), 999);
});

test("SQLite: a database of another program is refused, and left as it is", async () => {
  await using directory = temporaryDirectory();
  const database = new DatabaseSync(join(directory.path, "antechamber.db"));
  database.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
  database.close();
  refuses(directory.path, "unknown-schema");
  assert.equal(read(directory.path, "SELECT count(*) FROM sqlite_schema"), 1);
});

test("SQLite: a file that is no database is refused, and left as it is", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "antechamber.db");
  writeFileSync(file, "these are not the bytes of a database ".repeat(200));
  assert.throws(() => open(directory.path));
  assert.equal(statSync(file).size, 7600);
});

test("SQLite: after a refused start the directory is free again", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "antechamber.db");
  writeFileSync(file, "these are not the bytes of a database ".repeat(200));
  assert.throws(() => open(directory.path));
  writeFileSync(file, "");
  await open(directory.path).close();
});

test("SQLite: beyond the pending writes that are allowed changes are refused, and recover", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, { maxPending: 10 });
  const sessions = Array.from({ length: 100 }, (_, i) => session(`v${i}`));
  const results = await Promise.allSettled(sessions.map((s) => store.create(s, START)));
  const stored = results.filter(({ status }) => status === "fulfilled").length;
  assert.ok(stored >= 10 && stored < 100, `${stored} were stored`);
  for (const [i, result] of results.entries()) {
    const shown = await store.find(sessions[i]?.id ?? "");
    assert.equal(shown.visitId, result.status === "fulfilled" ? `v${i}` : null);
    if (result.status === "fulfilled") continue;
    const error: unknown = result.reason;
    assert.ok(error instanceof Refusal);
    assert.ok(error.reason.code === "unavailable" && error.reason.retryAfterSeconds >= 1);
  }
  assert.deepEqual(await store.create(session("later"), START), { outcome: "created" });
  await store.close();
  assert.equal(read(directory.path, "SELECT count(*) FROM sessions"), stored + 1);
});

test("SQLite: what lived by its id alone has no row", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  for (let i = 0; i < 1000; i++) await store.find(issuer.issue(START).id);
  await store.close();
  assert.equal(read(directory.path, "SELECT count(*) FROM sessions"), 0);
});

test("SQLite: a store that was closed is one file, complete by itself", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  await store.create(session("v"), START);
  await store.close();
  assert.equal(existsSync(join(directory.path, "antechamber.db-wal")), false);
});
