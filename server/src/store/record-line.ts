import type { RequestRecord } from "../session/record.ts";

/* The stored form of a record in all engines: one line of JSON, an array because names would be most of its length. */

type Line = [
  method: string,
  path: string,
  status: number | null,
  startedAt: number,
  durationMs: number | null,
  service: string | null,
  attributes?: Readonly<Record<string, string>>,
];

/** Returns the line of a record, without a line break. */
export function lineOf(record: RequestRecord): string {
  const { method, path, status, startedAt, durationMs, service, attributes } = record;
  const line: Line = [method, path, status, startedAt, durationMs, service];
  if (Object.keys(attributes).length > 0) line.push(attributes);
  return JSON.stringify(line);
}

/** Returns the record that a line contains. */
export function recordOf(line: string): RequestRecord {
  const [method, path, status, startedAt, durationMs, service, attributes = {}] = JSON.parse(line) as Line;
  return { method, path, status, startedAt, durationMs, service, attributes };
}
