import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type IdField, idFields } from "../../src/session/fields.ts";
import { databaseFile, openForReading } from "../../src/store/sqlite/files/database.ts";
import { createIdHash } from "../../src/store/sqlite/index/id-hash.ts";

/** An id that somebody with the data folder might guess. */
export interface Guess {
  readonly field: IdField;
  readonly id: string;
}

/**
 * Searches the files of a data folder for guessed ids: as text, and as the keyed hashes of the index of ids (the key is
 * in the same file). Reads tables and raw bytes, so that it also finds ids in free pages and in the write-ahead log.
 */
export function tracesOf(dataDir: string, guesses: readonly Guess[]): string[] {
  const hashes = hashesOf(dataDir, guesses);
  const files = readdirSync(dataDir).filter((name) => statSync(join(dataDir, name)).isFile());
  const found = files.flatMap((name) => {
    const bytes = readFileSync(join(dataDir, name));
    return guesses
      .filter(({ id }, i) => formsOf(id, hashes[i] as number).some((form) => bytes.includes(form)))
      .map(({ field, id }) => `${name}: ${field} ${id}`);
  });
  return [...found, ...inRuns(dataDir, guesses, hashes)];
}

function hashesOf(dataDir: string, guesses: readonly Guess[]): number[] {
  const database = openForReading(databaseFile(dataDir));
  try {
    const seed = database.prepare("SELECT hash_seed FROM facts").get()?.["hash_seed"];
    const hashOf = createIdHash(seed as Uint8Array);
    return guesses.map(({ field, id }) => hashOf(2 ** idFields.indexOf(field), id));
  } finally {
    database.close();
  }
}

/** The forms of an id in a file: text, an integer of 48 bits, a number of 64 bits. */
function formsOf(id: string, hash: number): Buffer[] {
  const integer = Buffer.alloc(6);
  integer.writeUIntBE(hash, 0, 6);
  const float = Buffer.from(Float64Array.of(hash).buffer);
  return [Buffer.from(id), integer, float];
}

function inRuns(dataDir: string, guesses: readonly Guess[], hashes: readonly number[]): string[] {
  const database = openForReading(databaseFile(dataDir));
  try {
    const rows = database.prepare("SELECT entries FROM index_blocks").all();
    const kept = new Set(
      rows.flatMap((row) => [
        ...new Float64Array((row["entries"] as Uint8Array).slice().buffer).filter((_, i) => i % 2 === 0),
      ]),
    );
    return guesses.flatMap(({ id }, i) => (kept.has(hashes[i] as number) ? [`runs: ${id}`] : []));
  } finally {
    database.close();
  }
}

/** Returns the number of rows in each table of the index of ids, and in the list of deleted sessions. */
export function indexRows(dataDir: string): Record<string, number> {
  const database = openForReading(databaseFile(dataDir));
  try {
    const tables = ["sessions", "visit_holders", "index_log", "index_blocks", "index_runs", "index_deleted"];
    return Object.fromEntries(
      tables.map((name) => [name, Number(database.prepare(`SELECT count(*) AS n FROM ${name}`).get()?.["n"])]),
    );
  } finally {
    database.close();
  }
}
