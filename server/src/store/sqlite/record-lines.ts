import { SESSION_ID_CHARACTERS } from "../../session/id.ts";
import type { RequestRecord } from "../../session/record.ts";

/*
 * How records are written: a line of JSON each, an array without names, since most of a record's
 * length would be names. In the journal the session's id stands before it.
 */

type Line = [
  method: string,
  path: string,
  status: number | null,
  startedAt: number,
  durationMs: number | null,
  service: string | null,
  attributes?: Readonly<Record<string, string>>,
];

/** The line of a record, without a line break: JSON has none. */
export function lineOf(record: RequestRecord): string {
  const { method, path, status, startedAt, durationMs, service, attributes } = record;
  const line: Line = [method, path, status, startedAt, durationMs, service];
  if (Object.keys(attributes).length > 0) line.push(attributes);
  return JSON.stringify(line);
}

/** The record in a line. */
export function recordOf(line: string): RequestRecord {
  const [method, path, status, startedAt, durationMs, service, attributes = {}] = JSON.parse(
    line,
  ) as Line;
  return { method, path, status, startedAt, durationMs, service, attributes };
}

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
