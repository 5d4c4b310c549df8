import { fdatasyncSync, fstatSync, readSync, writeSync } from "node:fs";

/*
 * What is deleted is overwritten (`secure_delete`), except in one place: where SQLite moves rows between the
 * pages of a table to balance it, a page that has fewer of them afterwards keeps old copies of their bytes in
 * its gap, the unused room between the list of its cells and the first cell. Nothing ever looks there, but
 * whoever has the file can. So the gaps of all pages that were written are filled with zeros, some time after
 * a checkpoint has brought the pages into the database file:
 *
 *   page written to the log --checkpoint--> marked --clean--> clean
 *
 * Only the gap itself is written, and only by the one thread that writes the database. A crash at any moment
 * leaves a page that is read as before. After a start all pages are marked.
 */

/** The pages whose gaps may hold something. */
export interface PageGaps {
  /** Marks the pages in the log, which has `frames` now; call it before each checkpoint. */
  note(frames: number): void;
  /** Fills the gaps of at most `limit` marked pages. The log must have been carried over for this to last. */
  clean(limit: number): void;
  /** How many pages are marked. */
  readonly left: number;
}

/** The files by their descriptors, both open for reading, the database for writing too. */
export interface GapFiles {
  readonly database: number;
  readonly log: number;
}

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** How many frames of the log are read at a time. */
const FRAMES_READ = 64;
/** Kinds of pages of a B-tree, by their first byte, and how long their headers are. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 2: 12, 5: 12, 10: 8, 13: 8 };
/** From so many pages on the first byte of other pages may be that of a B-tree's: they are left alone. */
const MAX_PAGES = 0x2000000;
/** The header of the database, in front of that of its first page. */
const DATABASE_HEADER_BYTES = 100;

/** All pages of the database are marked. `pageSize` in bytes. */
export function createPageGaps({ database, log }: GapFiles, pageSize: number): PageGaps {
  const marked = new Set<number>();
  const page = Buffer.alloc(pageSize);
  const zeros = Buffer.alloc(pageSize);
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  const frames = Buffer.alloc(FRAMES_READ * frameBytes);
  const salts = Buffer.alloc(8);
  /** The log was read up to this frame; it begins anew with other salts. */
  let noted = 0;
  let notedSalts = "";
  /** Pages from this one on were there at the start and have not been looked at yet: none is above `lastOld`. */
  let nextOld = 1;
  const lastOld = Math.floor(fstatSync(database).size / pageSize);

  function cleanPage(number: number): boolean {
    const start = (number - 1) * pageSize;
    if (number >= MAX_PAGES || readSync(database, page, 0, pageSize, start) < pageSize)
      return false;
    const header = number === 1 ? DATABASE_HEADER_BYTES : 0;
    const headerBytes = HEADER_BYTES[page[header] as number];
    if (headerBytes === undefined) return false;
    const from = header + headerBytes + 2 * page.readUInt16BE(header + 3);
    const to = page.readUInt16BE(header + 5) || 65_536;
    if (from >= to || to > pageSize) return false;
    if (page.compare(zeros, 0, to - from, from, to) === 0) return false;
    writeSync(database, zeros, 0, to - from, start + from);
    return true;
  }

  function nextMarked(): number | undefined {
    if (nextOld <= lastOld) return nextOld++;
    const [next] = marked;
    if (next !== undefined) marked.delete(next);
    return next;
  }

  return {
    note(count) {
      readSync(log, salts, 0, 8, 16);
      const current = salts.toString("hex");
      if (current !== notedSalts || count < noted) noted = 0;
      notedSalts = current;
      while (noted < count) {
        const wanted = Math.min(FRAMES_READ, count - noted);
        const at = LOG_HEADER_BYTES + noted * frameBytes;
        const read = Math.floor(readSync(log, frames, 0, wanted * frameBytes, at) / frameBytes);
        if (read === 0) return;
        for (let i = 0; i < read; i++) marked.add(frames.readUInt32BE(i * frameBytes));
        noted += read;
      }
    },
    clean(limit) {
      let isWritten = false;
      for (let i = 0; i < limit; i++) {
        const next = nextMarked();
        if (next === undefined) break;
        isWritten = cleanPage(next) || isWritten;
      }
      if (isWritten) fdatasyncSync(database);
    },
    get left() {
      return marked.size + Math.max(0, lastOld - nextOld + 1);
    },
  };
}
