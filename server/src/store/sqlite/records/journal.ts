import type { DatabaseSync } from "node:sqlite";
import { sqlOf } from "../statements.ts";
import { keyOf } from "../tables/session-row.ts";
import type { Transactional } from "../transactional.ts";
import { JournalBatch } from "./journal-batch.ts";
import { forEachJournalLine, forEachUnmergedLine } from "./journal-lines.ts";
import type { SegmentTable } from "./segment-table.ts";

/*
 * The journal receives the recorded requests of all sessions. Later they are merged into the segments of each session.
 *
 *   collecting --many records, or old ones--> merging in slices --> trimming the journal --> collecting
 *
 * Records of many sessions arrive mixed. Without the journal, each record would rewrite a database page.
 * A crash during a merge neither loses nor repeats a record: the next start reads the journal again, and the column
 * `journaled` of a session is the last row that was merged into its segments.
 */

/**
 * A merge begins at this number of records or characters, or when the first record has reached this age (ms). A later
 * merge writes less: the more records of a session are merged together, the fewer rows they take.
 */
const MERGE_AT = { records: 524_288, characters: 24 * 1024 * 1024, age: 5000 };
/** The maximum size of a slice of a merge, in sessions and in characters, while few records arrive. */
const SLICE = { sessions: 128, characters: 256 * 1024 };
/** Slices grow by the size in `SLICE` each time this number of records has arrived during the merge. */
const RECORDS_PER_PACE = 131_072;
/**
 * The maximum number of slices that trim the journal. Each deletes the same number of rows. That number is not a
 * constant, because rows may be few and long, or many and short.
 */
const TRIM_SLICES = 64;

/** The table `journal` on the writer's connection. */
export class Journal implements Transactional {
  readonly #segments: SegmentTable;
  readonly #sql;
  #collecting = new JournalBatch();
  #merging: JournalBatch | undefined;
  /** The number of the last row. After a rollback, the next row gets the number of the first row that was undone. */
  #lastRow: number;
  /** The number of the last committed row. */
  #committedRow: number;
  /** The sessions of `#merging`, in the order of their row keys. */
  #queue: string[] = [];
  /** The number of sessions in `#queue` that are merged. */
  #merged = 0;
  /** The number of rows that each slice of trimming deletes; 0 before the first slice. */
  #trimStep = 0;
  /** The rows that the current transaction has appended. */
  #uncommitted: string[] = [];
  /** The ids of the sessions that the current transaction has erased. */
  #erased: ReadonlySet<string> = new Set();
  /** A function to call after the commit of the current transaction. */
  #onCommit: (() => void) | undefined;
  #now = 0;

  /** Reads the records that are not merged yet into memory. */
  constructor(database: DatabaseSync, segments: SegmentTable) {
    this.#segments = segments;
    const sql = sqlOf(database);
    this.#sql = {
      insert: sql`INSERT INTO journal (lines) VALUES (?)`,
      all: sql`SELECT sequence, lines FROM journal ORDER BY sequence`,
      rewrite: sql`UPDATE journal SET lines = ? WHERE sequence = ?`,
      trim: sql`DELETE FROM journal WHERE sequence <= ?`,
      firstRow: sql`SELECT min(sequence) AS first FROM journal`,
      /** The number of the last row that was ever inserted. */
      lastRow: sql`SELECT seq FROM sqlite_sequence WHERE name = 'journal'`,
    };
    forEachUnmergedLine(
      database,
      (handle) => segments.counts(handle).journaled,
      (handle, line) => this.#collecting.add(handle, line),
    );
    this.#lastRow = Number(this.#sql.lastRow.get()?.["seq"] ?? 0);
    this.#committedRow = this.#lastRow;
  }

  /**
   * Appends a row. `lines` are lines as `journalLine` returns them. Calls `onFirst` for each session that has no other
   * lines which are not merged yet.
   */
  append(lines: string, now: number, onFirst?: (handle: string, now: number) => void): void {
    this.#lastRow = Number(this.#sql.insert.run(lines).lastInsertRowid);
    this.#uncommitted.push(lines);
    if (this.#collecting.records === 0) this.#collecting.since = now;
    // Added before the commit, since later changes of the same transaction count these lines. A rollback removes
    // them again.
    forEachJournalLine(lines, (handle, line) => {
      if (onFirst !== undefined && !this.#hasUnmerged(handle)) onFirst(handle, now);
      this.#collecting.add(handle, line);
    });
  }

  /** Returns the lines of a session that are not merged yet, in order. */
  unmerged(handle: string): readonly string[] {
    const older = this.#merging?.sessions.get(handle);
    const newer = this.#collecting.sessions.get(handle);
    if (older === undefined) return newer ?? [];
    return newer === undefined ? older : [...older, ...newer];
  }

  #hasUnmerged(handle: string): boolean {
    return this.#collecting.sessions.has(handle) || this.#merging?.sessions.has(handle) === true;
  }

  /** Returns the handles of the sessions that have lines which are not merged yet. */
  unmergedSessions(): string[] {
    const older = this.#merging?.sessions.keys() ?? [];
    return [...new Set([...older, ...this.#collecting.sessions.keys()])];
  }

  /** Removes the lines of these sessions, including merged ones. Reads the whole journal. */
  erase(handles: ReadonlySet<string>): void {
    for (const { sequence, lines } of this.#sql.all.all() as {
      sequence: number;
      lines: string;
    }[]) {
      let kept = "";
      forEachJournalLine(lines, (handle, line) => {
        if (!handles.has(handle)) kept += `${handle}${line}\n`;
      });
      if (kept.length < lines.length) this.#sql.rewrite.run(kept, sequence);
    }
    this.#erased = handles;
  }

  /** Does a slice of the current merge. Returns false when there is nothing more to do now. */
  merge(now: number): boolean {
    this.#now = now;
    if (this.#merging === undefined) return false;
    if (this.#merged < this.#queue.length) this.#mergeSlice(this.#merging);
    else if (!this.#trim(this.#merging.lastRow)) this.#merging = undefined;
    return this.#merging !== undefined;
  }

  commit(): void {
    this.#committedRow = this.#lastRow;
    this.#onCommit?.();
    for (const handle of this.#erased) {
      this.#merging?.remove(handle);
      this.#collecting.remove(handle);
    }
    if (this.#merging === undefined && this.#isMergeDue()) this.#startMerge();
    this.#endTransaction();
  }

  rollback(): void {
    for (const lines of this.#uncommitted.toReversed()) this.#collecting.takeBack(lines);
    this.#lastRow = this.#committedRow;
    this.#endTransaction();
  }

  #endTransaction(): void {
    this.#uncommitted = [];
    this.#erased = new Set();
    this.#onCommit = undefined;
  }

  #isMergeDue(): boolean {
    const { records, characters, since } = this.#collecting;
    const isLarge = records >= MERGE_AT.records || characters >= MERGE_AT.characters;
    return records > 0 && (isLarge || this.#now - since >= MERGE_AT.age);
  }

  #startMerge(): void {
    const batch = this.#collecting;
    batch.lastRow = this.#lastRow;
    this.#merging = batch;
    this.#collecting = new JournalBatch();
    this.#merged = 0;
    this.#trimStep = 0;
    const keys = new Map([...batch.sessions.keys()].map((id) => [id, keyOf(id)]));
    this.#queue = [...keys].toSorted((a, b) => a[1] - b[1]).map(([handle]) => handle);
  }

  #mergeSlice(batch: JournalBatch): void {
    // Slices are larger while many records arrive. Otherwise the merge would fall behind.
    const pace = 1 + Math.floor(this.#collecting.records / RECORDS_PER_PACE);
    const start = this.#merged;
    let characters = SLICE.characters * pace;
    let end = start;
    const last = Math.min(this.#queue.length, start + SLICE.sessions * pace);
    while (end < last && characters > 0) {
      const handle = this.#queue[end++] as string;
      const lines = batch.sessions.get(handle) ?? [];
      this.#segments.append(handle, lines, batch.lastRow);
      for (const line of lines) characters -= line.length;
    }
    this.#onCommit = () => {
      for (const id of this.#queue.slice(start, end)) batch.sessions.delete(id);
      this.#merged = end;
    };
  }

  /** Deletes some of the rows up to `lastRow`, all of which are merged. Returns false if none of them is left. */
  #trim(lastRow: number): boolean {
    const first = (this.#sql.firstRow.get()?.["first"] ?? lastRow + 1) as number;
    if (first > lastRow) return false;
    if (this.#trimStep === 0) this.#trimStep = Math.ceil((lastRow - first + 1) / TRIM_SLICES);
    this.#sql.trim.run(Math.min(first + this.#trimStep - 1, lastRow));
    return true;
  }
}
