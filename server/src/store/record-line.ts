import type { RequestRecord } from "../session/record.ts";

/*
 * How records are written: a line of JSON each, an array without names, since most of a record's
 * length would be names. All engines write the same.
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
