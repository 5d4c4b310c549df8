import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RequestTemplate } from "./requests.ts";
import type { Subject } from "./subject.ts";
import { load, type Tickets } from "./wrk.ts";

/** Number of sessions over which most loads spread their requests. */
export const SESSIONS = 10_000;

const NEWLINE = 10;
let files = 0;

/** Creates `count` sessions and writes their tickets (ids or cookies) to a file, one per line. */
export async function collectTickets(
  subject: Pick<Subject, "name" | "ticket">,
  url: string,
  request: RequestTemplate,
  folder: string,
  count: number,
): Promise<Tickets> {
  const file = join(folder, `tickets-${files++}.txt`);
  writeFileSync(file, "");
  let seconds = 1;
  for (let made = 0; made < count; ) {
    const collect = { into: file, source: subject.ticket };
    await load({ url, request, seconds, folder, collect, limit: count - made });
    const lines = describe(file).count;
    if (lines === made) throw new Error(`${subject.name}: no answer held a session`);
    // Estimates the time for the remaining tickets at this speed, and adds a fifth.
    seconds = Math.ceil((1.2 * (count - lines) * seconds) / (lines - made));
    seconds = Math.min(60, Math.max(1, seconds));
    made = lines;
  }
  return describe(file);
}

/** Writes a file of invented session ids, for a subject that does not read them. */
export function inventTickets(folder: string, count: number): Tickets {
  const file = join(folder, `tickets-${files++}.txt`);
  const lines = Array.from({ length: count }, (_, index) => String(index).padStart(40, "x"));
  writeFileSync(file, `${lines.join("\n")}\n`);
  return { file, count, width: 40 };
}

/** Counts the tickets in a file. Removes the last line if it is incomplete. */
function describe(file: string): Tickets {
  const bytes = readFileSync(file);
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  if (end < bytes.length) truncateSync(file, end);
  const width = Math.max(0, bytes.indexOf(NEWLINE));
  let count = 0;
  let alike = true;
  for (let start = 0; start < end; count++) {
    const next = bytes.indexOf(NEWLINE, start);
    alike &&= next - start === width;
    start = next + 1;
  }
  return { file, count, width: alike ? width : 0 };
}
