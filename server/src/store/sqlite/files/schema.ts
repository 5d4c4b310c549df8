import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { SECRET_BYTES } from "../../../session/id.ts";
import { StoreOpenError } from "../../open-error.ts";

/** SQLite's `application_id` of our databases, "Ante" in ASCII. A database without it is refused. */
const APPLICATION_ID = 0x416e7465;

/** The SQL of the migrations, in order. The first is the whole schema. None is edited after its release. */
const migrations = readMigrations();

/** The schema version of this release. Older databases are migrated, newer ones are refused. */
const SCHEMA_VERSION = migrations.length;

function readMigrations(): string[] {
  const directory = new URL("../migrations/", import.meta.url);
  const names = readdirSync(directory).filter((name) => name.endsWith(".sql"));
  return names.toSorted().map((name) => readFileSync(new URL(name, directory), "utf8"));
}

/** Returns the number of migrations that were applied; 0 for an empty database. */
export function readSchemaVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** Throws `StoreOpenError` unless the database has the schema of this release. */
export function requireCurrentSchema(database: DatabaseSync): void {
  const version = readSchemaVersion(database);
  if (version !== SCHEMA_VERSION) throw unknownSchema(version);
  requireColumns(database);
}

/**
 * Applies missing migrations, and adds the first rows to a new database. Throws `StoreOpenError` if the database has a
 * newer schema or belongs to another program.
 */
export function migrate(database: DatabaseSync, now: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    const version = readSchemaVersion(database);
    if (version > SCHEMA_VERSION) throw unknownSchema(version);
    refuseForeign(database);
    // Nothing is written to a current database, so that a server can start on a full disk.
    if (version < SCHEMA_VERSION) {
      for (const migration of migrations.slice(version)) database.exec(migration);
      database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    }
    requireColumns(database);
    seed(database, now);
    database.exec("COMMIT");
  } catch (error) {
    // SQLite ends the transaction by itself if the disk is full.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Throws `StoreOpenError` unless the database has all tables and columns of this release. Until the first release the schema
 * changes without a new number (docs/decisions/0047-one-schema-until-the-first-release.md).
 */
function requireColumns(database: DatabaseSync): void {
  using expected = new DatabaseSync(":memory:");
  for (const migration of migrations) expected.exec(migration);
  const present = columnsOf(database);
  const missing = [...columnsOf(expected)].find((column) => !present.has(column));
  if (missing === undefined) return;
  throw new StoreOpenError(
    "unknown-schema",
    `The data has no ${missing}: an earlier unreleased version wrote it. Move it with \`antechamber migrate\` of that version, or choose another directory.`,
  );
}

/** Returns all columns of all tables, as `table.column`. */
function columnsOf(database: DatabaseSync): ReadonlySet<string> {
  const rows = database.prepare(
    "SELECT t.name || '.' || c.name AS name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
  );
  return new Set(rows.all().map(({ name }) => String(name)));
}

/** Adds the first secret and the key of the index's hashes to a new database. */
function seed(database: DatabaseSync, now: number): void {
  if (database.prepare("SELECT 1 FROM facts").get() !== undefined) return;
  database.prepare("INSERT INTO facts (id, clock, hash_seed) VALUES (1, ?, ?)").run(now, randomBytes(SECRET_BYTES));
  database.prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)").run(now, randomBytes(SECRET_BYTES));
}

function refuseForeign(database: DatabaseSync): void {
  const id = Number(database.prepare("PRAGMA application_id").get()?.["application_id"]);
  const tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]);
  if (id === APPLICATION_ID || tables === 0) return;
  throw new StoreOpenError(
    "unknown-schema",
    "antechamber.db in the data directory is a database of another program; choose another directory.",
  );
}

function unknownSchema(version: number): StoreOpenError {
  return new StoreOpenError(
    "unknown-schema",
    version > SCHEMA_VERSION
      ? `The data has schema ${version}, this release knows ${SCHEMA_VERSION}: start the release that wrote it, or a later one.`
      : `The data has schema ${version}, this release reads ${SCHEMA_VERSION}: start the server once, which migrates it.`,
  );
}
