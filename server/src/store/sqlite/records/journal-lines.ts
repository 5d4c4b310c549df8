import type { DatabaseSync } from "node:sqlite";
import { HANDLE_CHARACTERS } from "../../../session/id.ts";
import type { RequestRecord } from "../../../session/record.ts";
import { lineOf } from "../../record-line.ts";

/** Returns a line of the journal: the handle of the session, the record and a line break. */
export function journalLine(handle: string, record: RequestRecord): string {
  return `${handle}${lineOf(record)}\n`;
}

/** Calls `each` for each line of a row, whose text is `lines`. `line` is the record without the handle. */
export function forEachJournalLine(lines: string, each: (handle: string, line: string) => void): void {
  let start = 0;
  for (;;) {
    const end = lines.indexOf("\n", start);
    if (end === -1) return;
    const middle = start + HANDLE_CHARACTERS;
    each(lines.slice(start, middle), lines.slice(middle, end));
    start = end + 1;
  }
}

/** Calls `each` for each unmerged line. `mergedTo` returns the last row that was merged for a session. */
export function forEachUnmergedLine(
  database: DatabaseSync,
  mergedTo: (handle: string) => number,
  each: (handle: string, line: string) => void,
): void {
  const known = new Map<string, number>();
  const rows = database.prepare("SELECT sequence, lines FROM journal ORDER BY sequence");
  for (const row of rows.iterate()) {
    forEachJournalLine(row["lines"] as string, (handle, line) => {
      const merged = known.get(handle) ?? mergedTo(handle);
      known.set(handle, merged);
      if ((row["sequence"] as number) > merged) each(handle, line);
    });
  }
}
