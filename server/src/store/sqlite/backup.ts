import { existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { databaseFile, openForReading } from "./database.ts";
import { explained } from "./file-errors.ts";

/** How often progress is reported, in milliseconds. */
const PROGRESS_INTERVAL = 200;

export interface BackupOptions {
  /** Bytes written so far and about how many there will be. */
  readonly onProgress?: (written: number, expected: number) => void;
  /** Stops the backup and takes away what there is of it. */
  readonly signal?: AbortSignal;
}

/** Throws `StoreOpenError` for data of a schema that this release does not read. */
export function requireReadable(dataDir: string): void {
  openForReading(databaseFile(dataDir)).close();
}

/**
 * Copies the data of one moment into the new file `target`, also while a server runs on it, and
 * gives its size in bytes. The file appears once it is whole and on the disk. It holds the secrets
 * and is readable for its owner alone. Throws when `target` exists: nothing is ever replaced.
 */
export async function backup(
  dataDir: string,
  target: string,
  options: BackupOptions = {},
): Promise<number> {
  const file = resolve(target);
  refuseExisting(file);
  const source = databaseFile(dataDir);
  const expected = expectedSize(source);
  const partial = `${file}.partial-${process.pid}`;
  // SQLite takes over an empty file, and with it the rights that we give it.
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
    return statSync(file).size;
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
  const worker = new Worker(new URL("./backup-worker.ts", import.meta.url), {
    workerData: { source, target },
  });
  const finished = new AbortController();
  const copied = new Promise<void>((done, fail) => {
    worker.once("message", (code: number) => (code === 0 ? done() : fail(copyError(code, source))));
    worker.once("error", fail);
    worker.once("exit", () => fail(new Error("the copying thread ended before it was done")));
    signal?.addEventListener("abort", () => fail(signal.reason as Error), { once: true });
  });
  const watched = watch(target, expected, finished.signal, onProgress);
  try {
    await copied;
  } finally {
    finished.abort();
    await watched;
    await worker.terminate();
  }
  onProgress?.(expected, expected);
}

/** SQLite's result code for a full disk. */
const FULL = 13;

/** The error of a copy: the source is only read, so a full disk is the target's. */
function copyError(code: number, source: string): unknown {
  if (code === FULL) return Object.assign(new Error("no room"), { code: "ENOSPC" });
  return explained(Object.assign(new Error(`SQLite reports ${code}`), { errcode: code }), source);
}

/** Explains an error with the target folder; returns any other error unchanged. */
function targetError(error: unknown, file: string): unknown {
  const folder = dirname(file);
  const { code } = error as NodeJS.ErrnoException;
  const say = (message: string) => Object.assign(new Error(message, { cause: error }), { code });
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return say(
        `there is no folder ${folder}: create it, or choose another folder for the backup`,
      );
    case "EACCES":
    case "EPERM":
      return say(
        `no file can be created in ${folder}, the folder of the backup: choose another folder`,
      );
    case "EROFS":
      return say(
        `${folder}, the folder of the backup, is mounted read-only: choose another folder`,
      );
    case "ENOSPC":
    case "EDQUOT":
      return say(
        `the disk of ${folder}, the folder of the backup, is full: free some space, or choose another folder`,
      );
    default:
      return error;
  }
}

/** Reports the size of the growing file until `signal`. */
async function watch(
  file: string,
  expected: number,
  signal: AbortSignal,
  onProgress: BackupOptions["onProgress"],
): Promise<void> {
  while (!signal.aborted) {
    onProgress?.(Math.min(statSync(file).size, expected), expected);
    // Aborting ends the wait, which is no fault.
    await delay(PROGRESS_INTERVAL, undefined, { signal }).catch(() => undefined);
  }
}

/** What the copy will take at most: the pages in use. */
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

/** Gives the whole file its name, if nothing else has taken it meanwhile. */
function publish(partial: string, file: string): void {
  try {
    linkSync(partial, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") refuseExisting(file);
    // File systems without hard links: nearly as good.
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
