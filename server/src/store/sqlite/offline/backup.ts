import { existsSync, linkSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { databaseFile, fileSize, openForReading } from "../files/database.ts";
import { explained, FULL } from "../files/file-errors.ts";

/** The interval (ms) between progress reports. */
const PROGRESS_INTERVAL = 200;

export interface BackupOptions {
  /** Called with the bytes written so far, and the approximate size of the copy. */
  readonly onProgress?: (written: number, expected: number) => void;
  /** Stops the backup, and removes the incomplete file. */
  readonly signal?: AbortSignal;
}

/** Throws `StoreOpenError` if this release cannot read the data. */
export function requireReadable(dataDir: string): void {
  openForReading(databaseFile(dataDir)).close();
}

/**
 * Copies the state of one moment into the new file `target`, even while a server runs on the data. Returns the size of
 * the file in bytes. The file appears only when it is complete and on the disk. It contains the secrets, so only its
 * owner can read it. Throws if `target` exists: a backup never replaces a file.
 */
export async function backup(dataDir: string, target: string, options: BackupOptions = {}): Promise<number> {
  const file = resolve(target);
  refuseExisting(file);
  const source = databaseFile(dataDir);
  const expected = expectedSize(source);
  const partial = `${file}.partial-${process.pid}`;
  // The file is created here, so that only its owner can read it. SQLite copies into an existing file if it is empty.
  try {
    await (await open(partial, "wx", 0o600)).close();
  } catch (error) {
    throw targetError(error, file);
  }
  try {
    await copy(source, partial, expected, options);
    await sync(partial);
    publish(partial, file);
    await sync(dirname(file));
    return fileSize(file);
  } catch (error) {
    throw targetError(error, file);
  } finally {
    rmSync(partial, { force: true });
    rmSync(`${partial}-journal`, { force: true });
  }
}

async function copy(
  source: string,
  target: string,
  expected: number,
  { onProgress, signal }: BackupOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const worker = new Worker(new URL("./backup-thread.ts", import.meta.url), {
    workerData: { source, target },
  });
  const copied = new Promise<void>((done, fail) => {
    worker.once("message", (code: number) => (code === 0 ? done() : fail(copyError(code, source))));
    worker.once("error", fail);
    worker.once("exit", () => fail(new Error("the copying thread ended before it was done")));
    signal?.addEventListener("abort", () => fail(signal.reason as Error), { once: true });
  });
  const report = () => onProgress?.(Math.min(fileSize(target), expected), expected);
  const reports = setInterval(report, PROGRESS_INTERVAL);
  try {
    report();
    await copied;
  } finally {
    clearInterval(reports);
    await worker.terminate();
  }
  onProgress?.(expected, expected);
}

/** Returns the error of a failed copy. Only the target is written, so a full disk is the target's disk. */
function copyError(code: number, source: string): unknown {
  if (code === FULL) return Object.assign(new Error("no room"), { code: "ENOSPC" });
  return explained(Object.assign(new Error(`SQLite reports ${code}`), { errcode: code }), source);
}

/** Texts that say what is wrong with the target folder, by the code of the system's error. */
const targetFaults: Readonly<Record<string, (folder: string) => string>> = {
  ENOENT: (folder) => `there is no folder ${folder}: create it, or choose another folder for the backup`,
  EACCES: (folder) => `no file can be created in ${folder}, the folder of the backup: choose another folder`,
  EROFS: (folder) => `${folder}, the folder of the backup, is mounted read-only: choose another folder`,
  ENOSPC: (folder) =>
    `the disk of ${folder}, the folder of the backup, is full: free some space, or choose another folder`,
};
/** Codes that have the text of another code in `targetFaults`. */
const sameFault: Readonly<Record<string, string>> = {
  ENOTDIR: "ENOENT",
  EPERM: "EACCES",
  EDQUOT: "ENOSPC",
};

/**
 * Returns an error that explains what is wrong with the target folder. Returns an error with another cause unchanged.
 */
function targetError(error: unknown, file: string): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  const message = targetFaults[sameFault[code] ?? code]?.(dirname(file));
  return message === undefined ? error : Object.assign(new Error(message, { cause: error }), { code });
}

/** Returns the maximum size of the copy in bytes, which is the size of the used pages. */
function expectedSize(source: string): number {
  const database = openForReading(source);
  try {
    const [pages, free, size] = ["page_count", "freelist_count", "page_size"].map((name) =>
      Number(database.prepare(`PRAGMA ${name}`).get()?.[name]),
    ) as [number, number, number];
    return (pages - free) * size;
  } finally {
    database.close();
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives the complete file its name. Throws if another file has received this name meanwhile. */
function publish(partial: string, file: string): void {
  try {
    linkSync(partial, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") refuseExisting(file);
    // The file system has no hard links, so the file is renamed. A file that received this name after the check is
    // replaced.
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP") throw error;
    refuseExisting(file);
    renameSync(partial, file);
  }
}

function refuseExisting(file: string): void {
  if (existsSync(file)) {
    const message = `${file} exists; a backup replaces nothing`;
    throw Object.assign(new Error(message), { code: "EEXIST" });
  }
}
