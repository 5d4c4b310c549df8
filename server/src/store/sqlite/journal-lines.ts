import { SESSION_ID_CHARACTERS } from "../../session/id.ts";
import type { RequestRecord } from "../../session/record.ts";
import { lineOf } from "../record-line.ts";

/* Lines of the journal: the session's id stands before each record. */

/** A line of the journal, with its line break. */
export function journalLine(id: string, record: RequestRecord): string {
  return `${id}${lineOf(record)}\n`;
}

/** Calls `each` with the session's id and the record's line, for each line of a row of the journal. */
export function forEachJournalLine(lines: string, each: (id: string, line: string) => void): void {
  let start = 0;
  for (;;) {
    const end = lines.indexOf("\n", start);
    if (end === -1) return;
    const middle = start + SESSION_ID_CHARACTERS;
    each(lines.slice(start, middle), lines.slice(middle, end));
    start = end + 1;
  }
}
