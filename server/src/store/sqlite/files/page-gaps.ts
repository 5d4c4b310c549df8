import { fdatasyncSync, fstatSync, readSync, writeSync } from "node:fs";
import type { HeldFiles } from "./held-files.ts";

/*
 * SQLite overwrites deleted rows (`secure_delete`), except in one place. When it balances a table, it moves rows from
 * page to page. A page may then keep old bytes in its gap, which is the space between the list of its cells and the
 * first cell. SQLite never reads a gap, but anybody who has the file can. So gaps are filled with zeros:
 *
 *   page is in the log --note(), then a checkpoint--> marked --clean()--> clean
 *
 * Nothing but gaps is written, and only by the thread that writes the database. So a crash at any time does no harm.
 */

type Descriptors = HeldFiles["descriptors"];

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The number of frames of the log that are read at a time. A frame is a page with a header. */
const FRAMES_READ = 64;
/** The length in bytes of a B-tree page's header, by the first byte of the page, which is the page's type. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 2: 12, 5: 12, 10: 8, 13: 8 };
/**
 * No page is touched while the database has this number of pages or more (128 GiB). Overflow and free-list pages begin
 * with the number of another page, and the first byte of such a high number looks like the type of a B-tree page.
 */
const MAX_PAGES = 0x2000000;
/** The length of the database header, which precedes the header of the first page. */
const DATABASE_HEADER_BYTES = 100;

/** The pages whose gaps may contain old data. At the start these are all pages of the database. */
export class PageGaps {
  readonly #files: Descriptors;
  readonly #pageSize: number;
  readonly #marked = new Set<number>();
  readonly #page: Buffer;
  readonly #zeros: Buffer;
  readonly #frames: Buffer;
  readonly #salts = Buffer.alloc(8);
  /** The number of frames that `note` has read from the log. */
  #noted = 0;
  /** The salts that `note` has read from the log. SQLite changes them when it writes the log from its start again. */
  #notedSalts = "";
  /** The next page to clean, of those that existed when the server started. */
  #nextOld = 1;
  /** The last page that existed when the server started. */
  readonly #lastOld: number;

  /** `pageSize` is in bytes. */
  constructor(files: Descriptors, pageSize: number) {
    this.#files = files;
    this.#pageSize = pageSize;
    this.#page = Buffer.alloc(pageSize);
    this.#zeros = Buffer.alloc(pageSize);
    this.#frames = Buffer.alloc(FRAMES_READ * (FRAME_HEADER_BYTES + pageSize));
    this.#lastOld = Math.floor(fstatSync(files.database).size / pageSize);
  }

  /** The number of pages that are not clean yet. */
  get left(): number {
    return this.#marked.size + Math.max(0, this.#lastOld - this.#nextOld + 1);
  }

  /** Marks the pages in the log, which has `frames` frames. Call it before each checkpoint. */
  note(frames: number): void {
    const { log } = this.#files;
    readSync(log, this.#salts, 0, 8, 16);
    const salts = this.#salts.toString("hex");
    if (salts !== this.#notedSalts || frames < this.#noted) this.#noted = 0;
    this.#notedSalts = salts;
    const frameBytes = FRAME_HEADER_BYTES + this.#pageSize;
    while (this.#noted < frames) {
      const bytes = Math.min(FRAMES_READ, frames - this.#noted) * frameBytes;
      const position = LOG_HEADER_BYTES + this.#noted * frameBytes;
      const read = Math.floor(readSync(log, this.#frames, 0, bytes, position) / frameBytes);
      if (read === 0) return;
      for (let i = 0; i < read; i++) this.#marked.add(this.#frames.readUInt32BE(i * frameBytes));
      this.#noted += read;
    }
  }

  /**
   * Fills the gaps of at most `limit` marked pages with zeros. Call it after a checkpoint, not before: the checkpoint
   * writes the old content of the gaps again.
   */
  clean(limit: number): void {
    const isTooLarge = fstatSync(this.#files.database).size >= MAX_PAGES * this.#pageSize;
    let isWritten = false;
    for (let i = 0; i < limit; i++) {
      const page = this.#takeMarked();
      if (page === undefined) break;
      if (!isTooLarge) isWritten = this.#cleanPage(page) || isWritten;
    }
    if (isWritten) fdatasyncSync(this.#files.database);
  }

  #takeMarked(): number | undefined {
    if (this.#nextOld <= this.#lastOld) return this.#nextOld++;
    const [next] = this.#marked;
    if (next !== undefined) this.#marked.delete(next);
    return next;
  }

  /** Returns true if the page had a gap with old data. */
  #cleanPage(number: number): boolean {
    const { database } = this.#files;
    const [page, size] = [this.#page, this.#pageSize];
    const start = (number - 1) * size;
    if (readSync(database, page, 0, size, start) < size) return false;
    const header = number === 1 ? DATABASE_HEADER_BYTES : 0;
    const headerBytes = HEADER_BYTES[page[header] as number];
    if (headerBytes === undefined) return false;
    const from = header + headerBytes + 2 * page.readUInt16BE(header + 3);
    const to = page.readUInt16BE(header + 5) || 65_536;
    if (from >= to || to > size) return false;
    if (page.compare(this.#zeros, 0, to - from, from, to) === 0) return false;
    writeSync(database, this.#zeros, 0, to - from, start + from);
    return true;
  }
}
