import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { StoreOpenError } from "../../open-error.ts";
import { CANTOPEN, explaining, READONLY, requireAccess, resultCode } from "./file-errors.ts";
import { migrate, readSchemaVersion, requireCurrentSchema } from "./schema.ts";

/** SQLite truncates a log that has grown beyond this size to it when the log is reset. */
export const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

export function databaseFile(dataDir: string): string {
  return join(dataDir, "antechamber.db");
}

/** Returns the size of a file in bytes; 0 if it is missing. */
export function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Creates the database if it is missing, and applies missing migrations of the schema. */
export function prepareDatabase(dataDir: string, now: number): void {
  const file = databaseFile(dataDir);
  requireAccess(file, true);
  restorePermissions(file);
  // Creates the file before SQLite would, so that only its owner can read it. SQLite accepts an empty file as a new
  // database, and creates the log and the `-shm` file with the same permissions.
  if (!existsSync(file)) {
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
 * Makes the log (`-wal`) and the `-shm` file writable. SQLite creates both with the permissions of the database. If the
 * database was not writable at that time and the process was killed, both files stay unwritable, and every later start
 * would fail.
 */
function restorePermissions(file: string): void {
  for (const path of [`${file}-wal`, `${file}-shm`]) {
    try {
      requireAccess(path, true);
    } catch {
      explaining(path, () => chmodSync(path, 0o600));
      requireAccess(path, true);
    }
  }
}

/** Opens a connection that may write. Every commit waits for the disk, as contract.md#rule-7 requires. */
export function openForWriting(file: string): DatabaseSync {
  const database = new DatabaseSync(file);
  // This comes first, since setting the journal mode may already have to wait for a lock.
  database.exec("PRAGMA busy_timeout = 5000");
  refuseUnsafeLibrary(database);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA trusted_schema = OFF");
  // Overwrites deleted rows with zeros, so that erased data does not stay in free pages.
  database.exec("PRAGMA secure_delete = ON");
  database.exec(`PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES}`);
  return database;
}

/** Opens a read-only connection, even while a server writes. Throws `StoreOpenError` for another schema. */
export function openForReading(file: string): DatabaseSync {
  return explaining(file, () => {
    requireAccess(file, false);
    const database = openReadOnly(file);
    try {
      requireCurrentSchema(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function openReadOnly(file: string): DatabaseSync {
  try {
    return openAndRead(file);
  } catch (error) {
    // SQLite cannot create its files beside the database. It can still read a database that nobody writes to, which
    // `immutable=1` promises.
    if (![CANTOPEN, READONLY].includes(resultCode(error)) || !isAtRest(file)) throw error;
    return openAndRead(`${pathToFileURL(file).href}?immutable=1`);
  }
}

function openAndRead(location: string): DatabaseSync {
  const database = new DatabaseSync(location, { readOnly: true });
  refuseUnsafeLibrary(database);
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    // SQLite opens the log and the `-shm` file at the first read, so problems with these files appear here.
    readSchemaVersion(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Returns true if the database file is complete without its log and nobody writes to it. That is so if the log is empty
 * or missing, and if the `-shm` file is missing (as after every clean stop) or the file system is read-only.
 */
function isAtRest(file: string): boolean {
  if (fileSize(`${file}-wal`) > 0) return false;
  return !existsSync(`${file}-shm`) || isOnReadOnlySystem(file);
}

/** Returns true if the file is on a file system that is mounted read-only. */
export function isOnReadOnlySystem(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** Refuses SQLite 3.7.0 to 3.51.2, which can damage a database when its log is reset at the wrong moment. */
function refuseUnsafeLibrary(database: DatabaseSync): void {
  const version = String(database.prepare("SELECT sqlite_version() AS v").get()?.["v"]);
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const isSafe = major > 3 || (major === 3 && (minor > 51 || (minor === 51 && patch >= 3) || minor < 7));
  if (isSafe) return;
  database.close();
  throw new StoreOpenError(
    "unsafe-library",
    `SQLite ${version} has a defect that can damage the data; 3.51.3 or later is needed. Use a newer runtime.`,
  );
}
