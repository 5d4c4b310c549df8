import { closeSync, openSync, statSync } from "node:fs";
import { join } from "node:path";

/** A file as it was opened: its path, and what distinguishes it from another file with that path. */
export interface HeldFile {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/** The files of a data folder that a server has open; passed to the writer thread. */
export interface HeldFiles {
  readonly database: HeldFile;
  readonly log: HeldFile;
  /** The other files that are required for writing: the lock, and the index shared with readers. */
  readonly others: readonly HeldFile[];
  /**
   * Descriptors of the database and of its log. Closing one drops all locks that this process has on the
   * file, SQLite's too: they are closed by `release`, after every connection.
   */
  readonly descriptors: { readonly database: number; readonly log: number };
}

/** Opens the files of `dataDir`. Call it while a connection is open that has read, so that all of them exist. */
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
