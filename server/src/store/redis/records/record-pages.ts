import { isReached } from "../../../session/permissions.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { isLive, type Session } from "../../../session/session.ts";
import type { EndEvent, RecordPage } from "../../../session/timeline.ts";
import type { RecordPageRequest } from "../../ports/records.ts";
import { recordOf } from "../../record-line.ts";
import type { Operation } from "../engine.ts";
import { decodeWithHistory, hasHadData, isErased, type SessionWithHistory } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionKeys } from "../sessions/session-scripts.ts";
import { hasRecord } from "./set-aside.ts";

/** Number of characters of records after which a page ends. */
const MAX_CHARACTERS = 512 * 1024;
/** Number of records that one script reads. Records may be long, and a script blocks the Redis server while it runs. */
const RECORDS_PER_READ = 64;

/**
 * Reads a page of records. Returns `undefined` if the session is not in the scope or has another generation, or if its
 * data are no longer kept. `storeSetAside` stores the record that is set aside for the session, if there is one; without
 * it, the record is not part of the page.
 */
export async function readRecordPage(
  operation: Operation,
  request: RecordPageRequest,
  storeSetAside?: () => Promise<void>,
): Promise<RecordPage | undefined> {
  const { handle, generation, scope, after, limit, now } = request;
  const read = () => readRecords(operation, handle, after + 1, Math.min(limit, RECORDS_PER_READ));
  let head = await read();
  if (head.isSetAside && storeSetAside !== undefined) {
    await storeSetAside();
    head = await read();
  }
  const { total, text } = head;
  if (text !== null && isErased(text)) return undefined;
  const { session, associations } = sessionIn(operation, handle, text);
  const isStored = text !== null || total > 0;
  const hasRetained = total > 0 || (text !== null && hasHadData(text));
  const isKept = isLive(session, now) || (isStored && now < purgeAfter(session, hasRetained, operation.engine.policy));
  if (!isKept || !isReached(session, generation, scope)) return undefined;
  // If `maxRecords` was higher before, more records may be stored. The excess is treated as dropped.
  const dropped = Math.max(total - operation.engine.options.maxRecords, total === 0 ? 0 : head.oldest - 1);
  const first = Math.max(after, dropped) + 1;
  const lines = first === Math.max(after + 1, head.oldest) ? head.lines : [];
  await readMore(operation, handle, first, Math.min(limit, total - first + 1), lines);
  return {
    life: { session, associations, end: endOf(session, now) },
    total,
    dropped,
    first,
    records: lines.map(recordOf),
  };
}

/** Adds records to `lines` until there are `count` or the page is full. `first` is the sequence of the first line. */
async function readMore(
  operation: Operation,
  handle: string,
  first: number,
  count: number,
  lines: string[],
): Promise<void> {
  while (lines.length < count && charactersOf(lines) < MAX_CHARACTERS) {
    const next = first + lines.length;
    const more = await readRecords(operation, handle, next, Math.min(count - lines.length, RECORDS_PER_READ));
    // Records were dropped meanwhile. This page ends here, and the next one begins at the oldest stored record.
    if (more.oldest > next || more.lines.length === 0) return;
    lines.push(...more.lines);
  }
}

async function readRecords(operation: Operation, handle: string, from: number, limit: number) {
  const names = [...sessionKeys(operation, handle), operation.keys.setAside(handle)];
  const reply = await operation.run(scripts.readRecords, names, [from, limit]);
  const [text, total, oldest, lines, aside] = reply as [string | null, number, number, string[], string | null];
  return { text, total, oldest, lines, isSetAside: hasRecord(aside) };
}

function sessionIn(operation: Operation, handle: string, text: string | null): SessionWithHistory {
  if (text !== null) return decodeWithHistory(handle, text);
  return { session: operation.engine.implicitSession(handle), associations: [] };
}

function charactersOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}

function endOf(session: Session, now: number): EndEvent | null {
  if (session.ended) return { type: "ended", at: session.expiresAt };
  return isLive(session, now) ? null : { type: "expired", at: session.expiresAt };
}
