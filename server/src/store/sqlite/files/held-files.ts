import { closeSync, openSync, statSync } from "node:fs";
import { join } from "node:path";

/** An open file: its path, and the device and inode that distinguish it from any other file at this path. */
export interface HeldFile {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/** The files of a data folder that a server has open. The serving thread passes them to the writer thread. */
export interface HeldFiles {
  readonly database: HeldFile;
  readonly log: HeldFile;
  /** The other files that writing needs: the lock, and SQLite's `-shm` file, which is shared with readers. */
  readonly others: readonly HeldFile[];
  /**
   * Descriptors of the database and of its log. Closing one drops all locks that this process has on the file, also
   * those of SQLite. So only `release` closes them, after all connections are closed.
   */
  readonly descriptors: { readonly database: number; readonly log: number };
}

/** Opens the files of `dataDir`. Call it while an open connection has read: only then do all files exist. */
export function holdFiles(dataDir: string, database: string): HeldFiles {
  const log = `${database}-wal`;
  return {
    database: identify(database),
    log: identify(log),
    others: [identify(join(dataDir, "lock")), identify(`${database}-shm`)],
    descriptors: { database: openSync(database, "r+"), log: openSync(log, "r+") },
  };
}

export function release({ descriptors }: HeldFiles): void {
  closeSync(descriptors.log);
  closeSync(descriptors.database);
}

/** Returns true if the file at the path is still the one that was opened. */
export function isInPlace({ path, device, inode }: HeldFile): boolean {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.ino === inode && found.dev === device;
}

function identify(path: string): HeldFile {
  const { dev, ino } = statSync(path, { bigint: true });
  return { path, device: dev, inode: ino };
}
