import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openForWriting } from "../../src/store/sqlite/files/database.ts";
import { PageGaps } from "../../src/store/sqlite/files/page-gaps.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROUNDS = 40;

/** Inserts, enlarges and deletes rows of all sizes at random, so that pages are balanced repeatedly. */
function churn(database: DatabaseSync): { kept: Set<string>; gone: string[] } {
  const insert = database.prepare("INSERT INTO rows (name, text) VALUES (?, ?)");
  const remove = database.prepare("DELETE FROM rows WHERE name = ?");
  const grow = database.prepare("UPDATE rows SET text = ? WHERE name = ?");
  const text = () => "x".repeat(Math.floor(Math.random() * 500));
  const names: string[] = [];
  const gone: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    database.exec("BEGIN");
    for (let i = 0; i < 300; i++) {
      const name = randomBytes(9).toString("hex");
      insert.run(name, text());
      names.push(name);
    }
    const one = () => Math.floor(Math.random() * names.length);
    for (let i = 0; i < 100; i++) grow.run(text(), names[one()] as string);
    for (let i = 0; i < 280; i++) {
      const [name = ""] = names.splice(one(), 1);
      remove.run(name);
      gone.push(name);
    }
    database.exec("COMMIT");
  }
  return { kept: new Set(names), gone };
}

test("deleted rows are in no page, however their table was balanced, and other rows are complete", async () => {
  await using directory = temporaryDirectory();
  const file = join(directory.path, "rows.db");
  const database = openForWriting(file);
  database.exec("PRAGMA wal_autocheckpoint = 0");
  database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT UNIQUE, text TEXT)");
  const descriptors = { database: openSync(file, "r+"), log: openSync(`${file}-wal`, "r") };
  try {
    const gaps = new PageGaps(descriptors, 4096);
    const frames = database.prepare("PRAGMA wal_checkpoint(NOOP)");
    const { kept, gone } = churn(database);
    gaps.note(frames.get()?.["log"] as number);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    assert.ok(gaps.left > 50, `${gaps.left} pages`);
    while (gaps.left > 0) gaps.clean(10);
    const bytes = readFileSync(file);
    assert.deepEqual(
      gone.filter((name) => bytes.includes(name)),
      [],
    );
    assert.deepEqual(database.prepare("PRAGMA integrity_check").all().map(Object.values), [["ok"]]);
    // Read from the file, not from the cache.
    database.exec("PRAGMA shrink_memory");
    const names = database.prepare("SELECT name FROM rows").all();
    assert.deepEqual(new Set(names.map((row) => row["name"])), kept);
  } finally {
    database.close();
    closeSync(descriptors.log);
    closeSync(descriptors.database);
  }
});
