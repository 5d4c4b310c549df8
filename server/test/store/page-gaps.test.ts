import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openForWriting } from "../../src/store/sqlite/files/database.ts";
import { PageGaps } from "../../src/store/sqlite/files/page-gaps.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROUNDS = 40;

/** Inserts, enlarges and deletes rows of all sizes at random, so that rows are moved between pages repeatedly. */
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

test("deleted rows are in no page, however rows were moved between pages, and other rows are complete", async () => {
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
    // Frees SQLite's page cache, so the next read uses the file.
    database.exec("PRAGMA shrink_memory");
    const names = database.prepare("SELECT name FROM rows").all();
    assert.deepEqual(new Set(names.map((row) => row["name"])), kept);
  } finally {
    database.close();
    closeSync(descriptors.log);
    closeSync(descriptors.database);
  }
});

test("in a database of 128 GiB or more a page that contains a page number is not mistaken for a page with rows", async () => {
  await using directory = temporaryDirectory();
  const file = openSync(join(directory.path, "large.db"), "w+");
  try {
    // An overflow page of a database: the number of the next database page, followed by content.
    const page = Buffer.alloc(4096, "content of a row");
    page.writeUInt32BE(0x2000010, 0);
    page.writeUInt16BE(4096, 5);
    page.writeUInt16BE(0, 3);
    writeSync(file, page, 0, 4096, 4096);
    const shown = Buffer.alloc(4096);
    for (const size of [0x2000011 * 4096, 2 * 4096]) {
      ftruncateSync(file, size);
      new PageGaps({ database: file, log: file }, 4096).clean(2);
      readSync(file, shown, 0, 4096, 4096);
      // Control: in a database of two pages, this one is changed, because it is mistaken for a page with rows.
      assert.equal(shown.equals(page), size > 2 * 4096);
    }
  } finally {
    closeSync(file);
  }
});
