import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreOpenError } from "../../open-error.ts";
import { BUSY, explained, explaining, requireAccess, resultCode } from "./file-errors.ts";

/**
 * Locks the data directory for this process, and returns a function that frees it. The lock is SQLite's own on a
 * file beside the data: the operating system frees it when the process ends in any way, and there is no process id
 * that another process could have got since.
 */
export function lockDataDir(dataDir: string): () => void {
  const file = join(dataDir, "lock");
  // For this user alone: the data contains secrets.
  explaining(dataDir, () => mkdirSync(dataDir, { recursive: true, mode: 0o700 }));
  requireAccess(file, true);
  const lock = explaining(file, () => new DatabaseSync(file));
  try {
    // A command of the operator holds it only for a moment.
    lock.exec("PRAGMA busy_timeout = 1000");
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (resultCode(error) !== BUSY) throw explained(error, file);
    throw new StoreOpenError(
      "in-use",
      `Another server runs on the data directory ${dataDir}. Stop it, or choose another directory.`,
      error,
    );
  }
  return () => lock.close();
}
