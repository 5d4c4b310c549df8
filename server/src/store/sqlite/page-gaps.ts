import { fdatasyncSync, fstatSync, readSync, writeSync } from "node:fs";

/*
 * SQLite overwrites deleted rows (`secure_delete`), except in one place: when it moves rows between the pages
 * of a table to balance it, a page that has fewer rows afterwards keeps old copies of their bytes in its gap,
 * the unused space between the list of its cells and the first cell. SQLite never reads that space, but anybody
 * with the file can. So the gaps of all written pages are filled with zeros, some time after a checkpoint has
 * copied the pages into the database file:
 *
 *   page written to the log --checkpoint--> marked --clean--> clean
 *
 * Only the gap itself is written, and only by the one thread that writes the database. After a crash at any time
 * the page reads as before. After a start all pages are marked.
 */

/** The pages whose gaps may contain old data. */
export interface PageGaps {
  /** Marks the pages in the log, which has `frames` frames now; call it before each checkpoint. */
  note(frames: number): void;
  /** Fills the gaps of at most `limit` marked pages. Call it after a checkpoint, which would undo it otherwise. */
  clean(limit: number): void;
  /** The number of marked pages. */
  readonly left: number;
}

/** The descriptors of the files: both open for reading, the database also for writing. */
export interface GapFiles {
  readonly database: number;
  readonly log: number;
}

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** How many frames of the log are read at a time. */
const FRAMES_READ = 64;
/** The header lengths of the kinds of B-tree pages, by their first byte. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 2: 12, 5: 12, 10: 8, 13: 8 };
/** From this page number on, other pages may begin with the same byte as a B-tree page, so they are not touched. */
const MAX_PAGES = 0x2000000;
/** The length of the database header, which precedes the header of the first page. */
const DATABASE_HEADER_BYTES = 100;

/** Creates the set with all pages of the database marked. `pageSize` is in bytes. */
export function createPageGaps({ database, log }: GapFiles, pageSize: number): PageGaps {
  const marked = new Set<number>();
  const page = Buffer.alloc(pageSize);
  const zeros = Buffer.alloc(pageSize);
  const frameBytes = FRAME_HEADER_BYTES + pageSize;
  const frames = Buffer.alloc(FRAMES_READ * frameBytes);
  const salts = Buffer.alloc(8);
  /** The log was read up to this frame. New salts mean that the log has restarted. */
  let noted = 0;
  let notedSalts = "";
  /** The first page that existed at the start and has not been checked yet; the last one is `lastOld`. */
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
