import { createHash } from "node:crypto";
import { fstatSync, ftruncateSync, readSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { LOG_LIMIT_BYTES } from "./database.ts";
import { type HeldFile, type HeldFiles, isInPlace } from "./held-files.ts";

/*
 * Checks that the data folder still has the files that the server has open. Somebody may restore a backup over these
 * files, or move or remove the folder. Then SQLite would write to files that nobody will read. It would also apply the
 * write-ahead log of the old database to the new database, and so destroy the new one.
 *
 *   in place --the path has another file, or none--> moved --the files are back--> in place
 *   in place --the database has other content, or the log is shorter--> overwritten, until the process ends
 *
 * Nothing is written while the files are moved or overwritten. The log of a moved database is checkpointed into that
 * database, so that the log is empty when a new database appears at the old path. The log of an overwritten database
 * is emptied, since its own database no longer exists.
 */

/** How files were displaced. `moved`: the path has another file, or none. `overwritten`: other content, or less. */
export type Displacement = "moved" | "overwritten";

/** The files of the data were moved, removed or replaced while the server was running. */
export class DisplacedError extends Error {
  override readonly name = "DisplacedError";
  readonly kind: Displacement;

  constructor(kind: Displacement, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The interval (ms) at which the files other than the database are checked. Every `check` checks the database. */
const OTHERS_EVERY = 200;

export class FileGuard {
  readonly #database: DatabaseSync;
  readonly #files: HeldFiles;
  /** The numbers of the pages of the database whose content is compared. */
  readonly #pages: readonly number[];
  readonly #page: Buffer;
  #othersAt = Number.NEGATIVE_INFINITY;
  /** The text about the file that was overwritten, if one was. */
  #overwritten: string | undefined;
  #isCheckpointed = false;
  #stamp = "";
  #fingerprint = "";
  /** Size of the log in bytes when it was last read. */
  #logBytes = 0;

  /** `files` are those that `database` has open. */
  constructor(database: DatabaseSync, files: HeldFiles) {
    this.#database = database;
    this.#files = files;
    const facts = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'facts'");
    this.#pages = [1, ...facts.all().map((row) => row["rootpage"] as number)];
    const pageSize = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
    this.#page = Buffer.alloc(pageSize);
    this.noteWrite();
  }

  /** Throws `DisplacedError` unless the files are in place. Takes a few microseconds. */
  check(): void {
    this.#checkContent();
    this.#checkLog();
    if (this.#overwritten !== undefined) throw new DisplacedError("overwritten", this.#overwritten);
    const moved = this.#findMoved();
    if (moved !== undefined) {
      this.#checkpoint();
      throw new DisplacedError("moved", movedText(moved.path));
    }
    this.#isCheckpointed = false;
  }

  /** Notes that this thread wrote the database file or emptied the log, so that `check` does not report that. */
  noteWrite(): void {
    this.#logBytes = this.#readLogBytes();
    this.#stamp = this.#readStamp();
    this.#fingerprint = this.#readFingerprint();
  }

  #checkContent(): void {
    const stamp = this.#readStamp();
    if (this.#overwritten !== undefined || stamp === this.#stamp) return;
    // A new modification time alone does not mean other content: the file may have been touched, or the file system
    // may have set the time late.
    if (this.#readFingerprint() === this.#fingerprint) this.#stamp = stamp;
    else this.#stop(overwrittenText(this.#files.database.path));
  }

  /** SQLite would continue behind the end of a log that somebody truncates, and write the gap into the database. */
  #checkLog(): void {
    const bytes = this.#readLogBytes();
    // SQLite itself truncates only a log above the limit, and only to the limit.
    const isTruncated = bytes < Math.min(this.#logBytes, LOG_LIMIT_BYTES);
    this.#logBytes = bytes;
    if (isTruncated) this.#stop(truncatedText(this.#files.log.path));
  }

  /** Stops writing for good. Empties the log, so that SQLite does not write it into the database when that is closed. */
  #stop(text: string): void {
    this.#overwritten = text;
    ftruncateSync(this.#files.descriptors.log, 0);
  }

  #findMoved(): HeldFile | undefined {
    if (!isInPlace(this.#files.database)) return this.#files.database;
    const now = performance.now();
    if (now - this.#othersAt < OTHERS_EVERY) return undefined;
    const moved = [this.#files.log, ...this.#files.others].find((file) => !isInPlace(file));
    // While a file is missing, `#othersAt` is not updated, so every call checks all files again.
    if (moved === undefined) this.#othersAt = now;
    return moved;
  }

  #checkpoint(): void {
    if (this.#isCheckpointed) return;
    try {
      const result = this.#database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      this.#isCheckpointed = result?.["busy"] === 0;
      this.noteWrite();
    } catch {
      // The next `check` tries again. Until the files are back, no group of commands is written.
    }
  }

  #readLogBytes(): number {
    return fstatSync(this.#files.descriptors.log).size;
  }

  /** Returns the modification time and the size of the database file. They change with every write. */
  #readStamp(): string {
    const { mtimeNs, size } = fstatSync(this.#files.descriptors.database, { bigint: true });
    return `${mtimeNs} ${size}`;
  }

  /** Returns a hash of the compared pages. It differs for other databases and for other states of this one. */
  #readFingerprint(): string {
    const hash = createHash("sha256");
    const { length } = this.#page;
    for (const number of this.#pages) {
      const position = (number - 1) * length;
      const read = readSync(this.#files.descriptors.database, this.#page, 0, length, position);
      hash.update(this.#page.subarray(0, read));
    }
    return hash.digest("base64");
  }
}

const STOP = "Nothing is stored until then. Always stop a server before you restore or move its data.";

function overwrittenText(path: string): string {
  return `${path} was overwritten while the server ran, and its previous content is lost. Stop the server, check the data with "antechamber doctor", and start the server again. ${STOP}`;
}

function truncatedText(path: string): string {
  return `${path} was truncated while the server ran, and the changes in it are lost. Stop the server, and start it again. ${STOP}`;
}

/** Returns a text for the operator about a file that was moved, removed or replaced. */
export function movedText(path: string): string {
  return `${path} was moved, removed or replaced while the server ran. Put the original file back, or stop the server and start it again on the files that are there now. ${STOP}`;
}
