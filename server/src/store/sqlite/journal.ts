import type { DatabaseSync } from "node:sqlite";
import { forEachJournalLine } from "./journal-lines.ts";
import { keyOf } from "./rows.ts";
import type { SegmentTable } from "./segments.ts";

/*
 * Recorded requests on their way to the segments of their sessions.
 *
 * Requests of many sessions arrive mixed: a row for each, in the order of sessions, would rewrite a
 * page a request. Here they are appended to the end of a table (`journal`), many in a row, and kept in
 * memory by session. Every few seconds they are moved to the table `segments` in the order of
 * sessions, so that what a session did meanwhile becomes one row.
 *
 *   collecting --long or old enough--> merging slice by slice --> trimming the journal --> collecting
 *
 * A crash in between loses nothing: the journal is read again at the next start, and a session knows
 * up to which row of it its segments go (`journaled`).
 */

/** The journal on the writer's connection. Used inside its transactions but for `settle`. */
export interface Journal {
  /** Stores `lines`, which are whole lines of `journalLine`. */
  append(lines: string, now: number): void;
  /** Lines of the session that no segment has yet, in order. */
  unmerged(id: string): readonly string[];
  /** The sessions that have such lines. */
  unmergedSessions(): string[];
  /** Takes the lines of these sessions out, also those that segments have already. */
  erase(ids: ReadonlySet<string>): void;
  /** A slice of merging; true while there is more to do right away. */
  maintain(now: number): boolean;
  /** Called when the transaction at hand has been committed, or rolled back. */
  settle(isCommitted: boolean): void;
}

/**
 * Merging begins with so many requests, so many characters, or when the first is so old (ms). The more a
 * session has meanwhile, the fewer rows are written for it.
 */
const MERGE_AT = { requests: 524_288, characters: 24 * 1024 * 1024, age: 5000 };
/** For so many requests that have arrived meanwhile slices are larger by what they were at first. */
const PACED_BY = 131_072;
/** What a slice merges at the most, in sessions and in characters, when the journal is no longer. */
const SLICE = { sessions: 128, characters: 256 * 1024 };
/** In how many slices at the most the journal is trimmed: its rows may be few long or many short ones. */
const TRIM_SLICES = 64;

/** What was recorded since the last merge began. */
interface Batch {
  readonly sessions: Map<string, string[]>;
  requests: number;
  characters: number;
  /** When the first came, milliseconds since 1970. */
  since: number;
  /** The last row of the journal that belongs to it. */
  lastRow: number;
}

/** The journal in `database`; reads what is there. */
export function createJournal(database: DatabaseSync, segments: SegmentTable): Journal {
  const insert = database.prepare("INSERT INTO journal (lines) VALUES (?)");
  const trim = database.prepare("DELETE FROM journal WHERE sequence <= ?");
  const all = database.prepare("SELECT sequence, lines FROM journal ORDER BY sequence");
  const rewrite = database.prepare("UPDATE journal SET lines = ? WHERE sequence = ?");
  const firstRow = database.prepare("SELECT min(sequence) AS first FROM journal");

  let collecting = readJournal(database, segments);
  let merging: Batch | undefined;
  let row = lastRowEver(database);
  /** The same without the transaction at hand: a row that is rolled back gives its number to another. */
  let settledRow = row;
  /** The sessions of `merging` in the order of their rows, and how many of them are done. */
  let queue: string[] = [];
  let done = 0;
  let trimStep = 0;
  /** What the transaction at hand has appended, and what follows from its being committed. */
  let unsettled: string[] = [];
  let latest = 0;
  let onCommit: (() => void) | undefined;
  let erased: ReadonlySet<string> = new Set();

  function startMerging(): void {
    merging = collecting;
    merging.lastRow = row;
    collecting = emptyBatch();
    done = 0;
    trimStep = 0;
    const keys = new Map([...merging.sessions.keys()].map((id) => [id, keyOf(id)]));
    queue = [...keys].toSorted((a, b) => a[1] - b[1]).map(([id]) => id);
  }

  function mergeSlice(batch: Batch): void {
    // What arrives meanwhile must not outrun it.
    const pace = 1 + Math.floor(collecting.requests / PACED_BY);
    let characters = SLICE.characters * pace;
    let end = done;
    while (end < queue.length && end < done + SLICE.sessions * pace && characters > 0) {
      const id = queue[end++] as string;
      const lines = batch.sessions.get(id) ?? [];
      segments.append(id, lines, batch.lastRow);
      for (const line of lines) characters -= line.length;
    }
    onCommit = () => {
      for (const id of queue.slice(done, end)) batch.sessions.delete(id);
      done = end;
    };
  }

  /** Deletes what was merged from the journal; false when nothing of it is left. */
  function trimJournal(lastRow: number): boolean {
    const first = (firstRow.get()?.["first"] ?? lastRow + 1) as number;
    if (first > lastRow) return false;
    if (trimStep === 0) trimStep = Math.ceil((lastRow - first + 1) / TRIM_SLICES);
    trim.run(Math.min(first + trimStep - 1, lastRow));
    return true;
  }

  function isDue(now: number): boolean {
    const { requests, characters, since } = collecting;
    if (requests === 0) return false;
    return (
      requests >= MERGE_AT.requests ||
      characters >= MERGE_AT.characters ||
      now - since >= MERGE_AT.age
    );
  }

  return {
    append(lines, now) {
      row = Number(insert.run(lines).lastInsertRowid);
      unsettled.push(lines);
      if (collecting.requests === 0) collecting.since = now;
      // The next change of the same transaction counts with it; if that fails it is taken back.
      forEachJournalLine(lines, (id, line) => collect(collecting, id, line));
    },
    unmerged(id) {
      const older = merging?.sessions.get(id);
      const newer = collecting.sessions.get(id);
      if (older === undefined) return newer ?? [];
      return newer === undefined ? older : [...older, ...newer];
    },
    unmergedSessions() {
      const ids = new Set(merging?.sessions.keys());
      for (const id of collecting.sessions.keys()) ids.add(id);
      return [...ids];
    },
    erase(ids) {
      for (const one of all.all()) {
        const lines = one["lines"] as string;
        const left = linesOfOthers(lines, ids);
        if (left.length < lines.length) rewrite.run(left, one["sequence"] as number);
      }
      erased = ids;
    },
    maintain(now) {
      latest = now;
      if (merging === undefined) return false;
      if (done < queue.length) mergeSlice(merging);
      else if (!trimJournal(merging.lastRow)) merging = undefined;
      return merging !== undefined;
    },
    settle(isCommitted) {
      if (!isCommitted) {
        for (const lines of unsettled.toReversed()) takeBack(collecting, lines);
        row = settledRow;
      } else {
        settledRow = row;
        onCommit?.();
        for (const id of erased) for (const batch of [merging, collecting]) forget(batch, id);
        if (merging === undefined && isDue(latest)) startMerging();
      }
      unsettled = [];
      onCommit = undefined;
      erased = new Set();
    },
  };
}

function emptyBatch(): Batch {
  return {
    sessions: new Map(),
    requests: 0,
    characters: 0,
    since: Number.NEGATIVE_INFINITY,
    lastRow: 0,
  };
}

function collect(batch: Batch, id: string, line: string): void {
  const known = batch.sessions.get(id);
  if (known === undefined) batch.sessions.set(id, [line]);
  else known.push(line);
  batch.requests++;
  batch.characters += line.length;
}

function forget(batch: Batch | undefined, id: string): void {
  for (const line of batch?.sessions.get(id) ?? []) {
    if (batch === undefined) return;
    batch.requests--;
    batch.characters -= line.length;
  }
  batch?.sessions.delete(id);
}

/** Whole lines of the journal without those of the sessions `ids`. */
function linesOfOthers(lines: string, ids: ReadonlySet<string>): string {
  let left = "";
  forEachJournalLine(lines, (id, line) => {
    if (!ids.has(id)) left += `${id}${line}\n`;
  });
  return left;
}

function takeBack(batch: Batch, lines: string): void {
  forEachJournalLine(lines, (id, line) => {
    const known = batch.sessions.get(id);
    known?.pop();
    if (known?.length === 0) batch.sessions.delete(id);
    batch.requests--;
    batch.characters -= line.length;
  });
}

/** The number of the last row that was ever inserted. */
function lastRowEver(database: DatabaseSync): number {
  const last = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").get();
  return Number(last?.["seq"] ?? 0);
}

/** What the journal has and no segment yet. */
function readJournal(database: DatabaseSync, segments: SegmentTable): Batch {
  const batch = emptyBatch();
  const mergedTo = new Map<string, number>();
  const rows = database.prepare("SELECT sequence, lines FROM journal ORDER BY sequence");
  for (const row of rows.iterate()) {
    const sequence = row["sequence"] as number;
    forEachJournalLine(row["lines"] as string, (id, line) => {
      let merged = mergedTo.get(id);
      if (merged === undefined) {
        merged = segments.mergedTo(id);
        mergedTo.set(id, merged);
      }
      if (sequence > merged) collect(batch, id, line);
    });
  }
  return batch;
}
