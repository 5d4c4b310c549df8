import { createHash } from "node:crypto";
import { fstatSync, ftruncateSync, readSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Displacement } from "./changes.ts";
import { type HeldFile, type HeldFiles, isInPlace } from "./held-files.ts";

/*
 * Checks whether the data folder still has the files that the server has open. Somebody may restore a backup
 * over them, move the folder or remove it: SQLite would go on writing to files that nobody will ever read again,
 * and the write-ahead log of the old file would destroy the new one.
 *
 *   in place --path has another file, or none--> moved --the files are back--> in place
 *   in place --file has another content--> overwritten, until the process ends
 *
 * In both cases nothing is written any more. If the database was moved, its log is checkpointed into it,
 * wherever it is now, so that the log at the old path is empty and does no harm to the new file there. If the
 * database was overwritten, its log no longer belongs to any file, and is emptied.
 */

/** The data was moved, removed or replaced under the server. */
export class DisplacedError extends Error {
  override readonly name = "DisplacedError";
  readonly kind: Displacement;

  constructor(kind: Displacement, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The guard of the writer thread. */
export interface FileGuard {
  /** Throws `DisplacedError` unless the files are in place. Takes a few microseconds. */
  check(): void;
  /** Notes that this thread itself has written the database file. */
  noteWrite(): void;
}

/** How often (ms) the files other than the database are checked. */
const OTHERS_EVERY = 200;

/** Creates the guard of `files`, which `database` has open. */
export function createFileGuard(database: DatabaseSync, files: HeldFiles): FileGuard {
  const { descriptors } = files;
  const pages = [1, ...factsPages(database)];
  const pageSize = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
  const page = Buffer.alloc(pageSize);
  let othersAt = Number.NEGATIVE_INFINITY;
  let isOverwritten = false;
  let isCarriedOver = false;
  let known = { stamp: stampOf(), print: printOf() };

  /** Changes with every write to the file. */
  function stampOf(): string {
    const { mtimeNs, size } = fstatSync(descriptors.database, { bigint: true });
    return `${mtimeNs} ${size}`;
  }

  /** Differs between two databases, and between two states of one database that was in use in between. */
  function printOf(): string {
    const hash = createHash("sha256");
    for (const number of pages) {
      const read = readSync(descriptors.database, page, 0, pageSize, (number - 1) * pageSize);
      hash.update(page.subarray(0, read));
    }
    return hash.digest("base64");
  }

  function lookForContent(): void {
    const stamp = stampOf();
    if (isOverwritten || stamp === known.stamp) return;
    const print = printOf();
    // A changed modification time, or one that the file system set late, does not mean other content.
    isOverwritten = print !== known.print;
    if (isOverwritten) ftruncateSync(descriptors.log, 0);
    else known = { stamp, print };
  }

  function displaced(): HeldFile | undefined {
    if (!isInPlace(files.database)) return files.database;
    const now = performance.now();
    if (now - othersAt < OTHERS_EVERY) return undefined;
    const other = [files.log, ...files.others].find((file) => !isInPlace(file));
    // Until the files are back they are checked each time.
    if (other === undefined) othersAt = now;
    return other;
  }

  function carryOver(): void {
    if (isCarriedOver) return;
    try {
      isCarriedOver = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"] === 0;
      known = { stamp: stampOf(), print: printOf() };
    } catch {
      // Tried again with the next change; nothing is written meanwhile.
    }
  }

  return {
    check() {
      lookForContent();
      if (isOverwritten)
        throw new DisplacedError("overwritten", overwrittenText(files.database.path));
      const gone = displaced();
      if (gone !== undefined) {
        carryOver();
        throw new DisplacedError("moved", movedText(gone.path));
      }
      isCarriedOver = false;
    },
    noteWrite() {
      known = { stamp: stampOf(), print: printOf() };
    },
  };
}

function factsPages(database: DatabaseSync): number[] {
  const rows = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'facts'").all();
  return rows.map((row) => row["rootpage"] as number);
}

const STOP =
  "Nothing is stored until then. Always stop a server before you restore or move its data.";

function overwrittenText(path: string): string {
  return `${path} was overwritten while the server ran, and its previous content is lost. Stop the server, check the data with "antechamber doctor", and start the server again. ${STOP}`;
}

/** Says what to do about a file that is not in its place. */
export function movedText(path: string): string {
  return `${path} was moved, removed or replaced while the server ran. Put the original file back, or stop the server and start it again on the files that are there now. ${STOP}`;
}
