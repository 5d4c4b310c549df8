import { randomBytes } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { SECRET_BYTES } from "../../session/id.ts";
import { StoreOpenError } from "../open-error.ts";
import { explaining, requireAccess, resultCode } from "./file-errors.ts";

/** "Antechamber" in SQLite's application_id, so that `file` and we tell our databases from others. */
const APPLICATION_ID = 0x416e7465;

const migrations = readMigrations();

/** The schema version that this release writes; an older one is migrated, a newer one refused. */
const SCHEMA_VERSION = migrations.length;

/** The database file in a data directory. */
export function databaseFile(dataDir: string): string {
  return join(dataDir, "antechamber.db");
}

/** Creates the database as needed, and brings its schema up to date. */
export function prepareDatabase(dataDir: string, now: number): void {
  const file = databaseFile(dataDir);
  requireAccess(file, true);
  restoreRights(file);
  // SQLite uses an existing empty file, and gives its permissions to the log and the index.
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    explaining(file, () => closeSync(openSync(file, "wx", 0o600)));
  }
  explaining(file, () => {
    const database = openForWriting(file);
    try {
      migrate(database, now);
    } finally {
      database.close();
    }
  });
}

/**
 * Corrects the permissions of the log and the shared index. They get the database's permissions when they are
 * created: if it was not writable then, the files of a killed process stay unwritable and block every start.
 */
function restoreRights(file: string): void {
  for (const beside of [`${file}-wal`, `${file}-shm`]) {
    try {
      requireAccess(beside, true);
    } catch {
      explaining(beside, () => chmodSync(beside, 0o600));
      requireAccess(beside, true);
    }
  }
}

/**
 * Opens a connection that may write. Every commit waits for the disk (`synchronous=FULL`), as contract.md#rule-7
 * requires.
 */
export function openForWriting(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  // The time-out first: setting the journal mode may already meet a lock.
  database.exec("PRAGMA busy_timeout = 5000");
  refuseUnsafeLibrary(database);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA trusted_schema = OFF");
  // What is deleted is overwritten: what was erased is not to be found in pages that are free.
  database.exec("PRAGMA secure_delete = ON");
  // After a burst the log shrinks to this many bytes again.
  database.exec("PRAGMA journal_size_limit = 67108864");
  return database;
}

/** A connection that reads, beside a server that writes. Refuses a schema that it does not know. */
export function openForReading(file: string): DatabaseSync {
  return explaining(file, () => {
    requireAccess(file, false);
    const database = openReadOnly(file);
    const version = schemaVersion(database);
    if (version !== SCHEMA_VERSION) {
      database.close();
      throw unknownSchema(version);
    }
    return database;
  });
}

function openReadOnly(file: string): DatabaseSync {
  try {
    return opened(file);
  } catch (error) {
    // If SQLite cannot create files beside the database, it needs to know that nobody writes to it.
    if (![CANTOPEN, READONLY].includes(resultCode(error)) || !isAtRest(file)) throw error;
    return opened(`${pathToFileURL(file).href}?immutable=1`);
  }
}

function opened(place: string): DatabaseSync {
  const database = new DatabaseSync(place, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    refuseUnsafeLibrary(database);
    // The first read opens the log and the shared index.
    schemaVersion(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const READONLY = 8;
const CANTOPEN = 14;

/**
 * Whether the database file is complete by itself and nobody writes to it: its log is empty or missing, and
 * there is no index of the log, as after every clean stop, or the file system is read-only.
 */
function isAtRest(file: string): boolean {
  const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size;
  if ((size(`${file}-wal`) ?? 0) > 0) return false;
  return size(`${file}-shm`) === undefined || isOnReadOnlySystem(file);
}

/** Whether the file is on a file system that is mounted read-only. */
export function isOnReadOnlySystem(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** The number of the newest migration that was applied; 0 for an empty database. */
function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function migrate(database: DatabaseSync, now: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    const version = schemaVersion(database);
    refuseForeign(database, version);
    for (let next = version; next < migrations.length; next++) {
      database.exec(migrations[next] as string);
      database.exec(`PRAGMA user_version = ${next + 1}`);
    }
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    seed(database, now);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** What a new database is born with: its secret, and the key of its hashes. */
function seed(database: DatabaseSync, now: number): void {
  if (database.prepare("SELECT 1 FROM facts").get() !== undefined) return;
  database
    .prepare("INSERT INTO facts (id, floor, visit_seed) VALUES (1, ?, ?)")
    .run(now, randomBytes(SECRET_BYTES));
  database
    .prepare("INSERT INTO secrets (created_at, bytes) VALUES (?, ?)")
    .run(now, randomBytes(SECRET_BYTES));
}

function refuseForeign(database: DatabaseSync, version: number): void {
  if (version > migrations.length) throw unknownSchema(version);
  const id = Number(database.prepare("PRAGMA application_id").get()?.["application_id"]);
  const tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]);
  if (id !== APPLICATION_ID && tables > 0) {
    throw new StoreOpenError(
      "unknown-schema",
      "antechamber.db in the data directory is a database of another program; choose another directory.",
    );
  }
}

function unknownSchema(version: number): StoreOpenError {
  return new StoreOpenError(
    "unknown-schema",
    version > SCHEMA_VERSION
      ? `The data has schema ${version}, this release knows ${SCHEMA_VERSION}: start the release that wrote it, or a later one.`
      : `The data has schema ${version}, this release reads ${SCHEMA_VERSION}: start the server once, which migrates it.`,
  );
}

/** SQLite 3.7.0 to 3.51.2 can damage a WAL database when it is reset at the wrong moment. */
function refuseUnsafeLibrary(database: DatabaseSync): void {
  const version = String(database.prepare("SELECT sqlite_version() AS v").get()?.["v"]);
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const isSafe =
    major > 3 || (major === 3 && (minor > 51 || (minor === 51 && patch >= 3) || minor < 7));
  if (isSafe) return;
  database.close();
  throw new StoreOpenError(
    "unsafe-library",
    `SQLite ${version} has a defect that can damage the data; 3.51.3 or later is needed. Use a newer runtime.`,
  );
}

function readMigrations(): string[] {
  const directory = new URL("./migrations/", import.meta.url);
  const names = readdirSync(directory).filter((name) => name.endsWith(".sql"));
  return names.toSorted().map((name) => readFileSync(new URL(name, directory), "utf8"));
}
