import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreOpenError } from "../open-error.ts";
import { explained, explaining, requireAccess } from "./file-errors.ts";

/**
 * Takes the data directory for this process and gives the function that lets it go. The lock is
 * SQLite's own on a file beside the data: the operating system drops it with the process, however
 * that ends, and no process id is ever mistaken for a living one.
 */
export function lockDataDir(dataDir: string): () => void {
  const lock = openLock(dataDir);
  try {
    // A command of the operator that is at work is over in a moment.
    lock.exec("PRAGMA busy_timeout = 1000");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw explained(error, join(dataDir, "lock"));
    throw new StoreOpenError(
      "in-use",
      `Another server runs on the data directory ${dataDir}. Stop it, or choose another directory.`,
      error,
    );
  }
  return () => lock.close();
}

/** Creates the data directory as needed, for this user alone: it holds the secrets. */
function openLock(dataDir: string): DatabaseSync {
  const file = join(dataDir, "lock");
  explaining(dataDir, () => mkdirSync(dataDir, { recursive: true, mode: 0o700 }));
  requireAccess(file, true);
  return explaining(file, () => new DatabaseSync(file));
}

/** Whether an error is SQLite's "somebody else has the lock" (SQLITE_BUSY, result code 5). */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === 5;
}
