import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Refusal } from "../../src/session/errors.ts";
import { createIdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import { StoreOpenError, type StoreOpenFault } from "../../src/store/open-error.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import type { SqliteStoreOptions } from "../../src/store/sqlite/options.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { DAY, ids, lifetimes, START } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const issuer = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]);

function open(dataDir: string, more: Partial<SqliteStoreOptions> = {}): StoreEngine {
  return openSqliteStore({
    dataDir,
    lifetimes,
    maxRecords: 100,
    retention: 14 * DAY,
    eventRetention: DAY,
    cacheSessions: 1000,
    maxPending: 10_000,
    timeout: 30_000,
    events: unheard,
    now: START,
    ...more,
  });
}

function session(visitId: string) {
  const { id, createdAt } = issuer.issue(START);
  return newSession(id, createdAt, ids({ visitId }), lifetimes);
}

/** Asserts that opening fails for this reason. */
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

/** Reads one value from the database file. */
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

test("SQLite: a missing data directory is created, and only its owner can read it", async () => {
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

test("SQLite: the database is in WAL mode, and it is intact after many commits", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  for (let i = 0; i < 50; i++) await store.create(session(`v${i}`), START);
  assert.equal(read(directory.path, "PRAGMA journal_mode"), "wal");
  await store.close();
  assert.equal(read(directory.path, "PRAGMA integrity_check"), "ok");
  assert.equal(read(directory.path, "SELECT count(*) FROM sessions"), 50);
});

test("SQLite: a schema of a later release is refused, and the file is not changed", async () => {
  await using directory = temporaryDirectory();
  await open(directory.path).close();
  const database = new DatabaseSync(join(directory.path, "antechamber.db"));
  database.exec("PRAGMA user_version = 999");
  database.close();
  refuses(directory.path, "unknown-schema");
  assert.equal(read(directory.path, "PRAGMA user_version"), 999);
});

test("SQLite: data of an unreleased version that lacks a table is refused as such, and not changed", async () => {
  await using directory = temporaryDirectory();
  await open(directory.path).close();
  const database = new DatabaseSync(join(directory.path, "antechamber.db"));
  database.exec("DROP TABLE sign_outs");
  database.close();
  refuses(directory.path, "unknown-schema");
  assert.equal(read(directory.path, "SELECT count(*) FROM sqlite_schema WHERE name = 'sign_outs'"), 0);
});

test("SQLite: a database of another program is refused and not changed", async () => {
  await using directory = temporaryDirectory();
  const database = new DatabaseSync(join(directory.path, "antechamber.db"));
  database.exec("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
  database.close();
  refuses(directory.path, "unknown-schema");
  assert.equal(read(directory.path, "SELECT count(*) FROM sqlite_schema"), 1);
});

test("SQLite: a file that is not a database is refused and not changed", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "antechamber.db");
  writeFileSync(file, "these are not the bytes of a database ".repeat(200));
  assert.throws(() => open(directory.path));
  assert.equal(statSync(file).size, 7600);
});

test("SQLite: a refused start frees the data directory", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "antechamber.db");
  writeFileSync(file, "these are not the bytes of a database ".repeat(200));
  assert.throws(() => open(directory.path));
  writeFileSync(file, "");
  await open(directory.path).close();
});

test("SQLite: changes above the maximum of pending ones are refused, and later ones succeed", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path, { maxPending: 10 });
  const sessions = Array.from({ length: 100 }, (_, i) => session(`v${i}`));
  const results = await Promise.allSettled(sessions.map((s) => store.create(s, START)));
  const stored = results.filter(({ status }) => status === "fulfilled").length;
  assert.ok(stored >= 10 && stored < 100, `${stored} were stored`);
  for (const [i, result] of results.entries()) {
    const shown = await store.find(sessions[i]?.handle ?? "");
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

test("SQLite: implicit sessions have no row", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  for (let i = 0; i < 1000; i++) await store.find(issuer.issue(START).id);
  await store.close();
  assert.equal(read(directory.path, "SELECT count(*) FROM sessions"), 0);
});

test("SQLite: a closed store is one file, without a write-ahead log", async () => {
  await using directory = temporaryDirectory();
  const store = open(directory.path);
  await store.create(session("v"), START);
  await store.close();
  assert.equal(existsSync(join(directory.path, "antechamber.db-wal")), false);
});

test("SQLite: one file is the whole schema of a new database", async () => {
  await using directory = temporaryDirectory();
  await open(directory.path).close();
  const schema = new URL("../../src/store/sqlite/migrations/0001-schema.sql", import.meta.url);
  using fromFile = new DatabaseSync(":memory:");
  fromFile.exec(readFileSync(schema, "utf8"));
  using created = new DatabaseSync(join(directory.path, "antechamber.db"), { readOnly: true });
  const [expected, actual] = [fromFile, created].map((database) =>
    database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all(),
  );
  assert.deepEqual(actual, expected);
});
