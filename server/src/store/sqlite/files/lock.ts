import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreOpenError } from "../../open-error.ts";
import { BUSY, explained, explaining, requireAccess, resultCode } from "./file-errors.ts";

/**
 * Locks the data directory for this process, and returns a function that frees the lock. The lock is an exclusive
 * SQLite transaction on the file `lock`. The operating system frees it when the process ends, also after a crash. A
 * file with a process id would be less safe, because another process may get the same id later.
 */
export function lockDataDir(dataDir: string): () => void {
  const file = join(dataDir, "lock");
  // Only this user may enter the directory, because the data contains secrets.
  explaining(dataDir, () => mkdirSync(dataDir, { recursive: true, mode: 0o700 }));
  requireAccess(file, true);
  const lock = explaining(file, () => new DatabaseSync(file));
  try {
    // A command of the operator holds the lock only for a moment, so waiting a second for it is enough.
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
