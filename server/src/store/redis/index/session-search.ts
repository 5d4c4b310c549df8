import { type IdField, idsBySelectivity } from "../../../session/fields.ts";
import { creationRange, isMatch, isUnconditional, type SessionFilter } from "../../../session/filter.ts";
import { purgeAfter } from "../../../session/retention.ts";
import { hasNoIds, isLive, type Session } from "../../../session/session.ts";
import { type ListRequest, MAX_COUNTED, type SessionPage } from "../../ports/search.ts";
import type { Operation } from "../engine.ts";
import { INDEX_SHARDS } from "../layout/key-names.ts";
import { decode, implicitSession } from "../layout/session-codec.ts";
import { countIndex } from "./session-index.ts";
import { boundAt, entryOf, handleOfEntry, LAST } from "./sort-order.ts";

/** Number of index entries after which a page ends, even if few of their sessions match. */
const MAX_SCANNED = 1024;
/** Minimum number of index entries that are read at once. */
const MIN_STEP = 64;

/** Upper and lower bound of the entries to read, as arguments of `ZREVRANGEBYLEX`. */
interface Range {
  readonly before: string;
  readonly from: string;
}

/** Reads a page of sessions, newest first. */
export async function listSessions(operation: Operation, request: ListRequest): Promise<SessionPage> {
  const { filter, after, limit, now, includePurgeable = false } = request;
  const field = idsBySelectivity.find((one) => filter[one] !== null);
  const names = indexesFor(operation, filter, field);
  const total = after === null ? await countSessions(operation, filter, field, names) : null;
  const sessions: Session[] = [];
  const step = Math.min(MAX_SCANNED, Math.max(MIN_STEP, limit + 1));
  let { before, from } = rangeOf(filter, after);
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += step) {
    const entries = await newest(operation, names, { before, from }, step);
    const found = await Promise.all(
      entries.map((entry) => sessionOf(operation, handleOfEntry(entry), includePurgeable)),
    );
    for (const session of found) {
      if (session === undefined || !isMatch(session, filter, now)) continue;
      if (sessions.length === limit) {
        return { sessions, next: sessions.at(-1)?.handle ?? "", total };
      }
      sessions.push(session);
    }
    const last = entries.at(-1);
    if (entries.length < step || last === undefined) return { sessions, next: null, total };
    before = `(${last}`;
  }
  return { sessions, next: handleOfEntry(before.slice(1)), total };
}

/** Returns the keys of the indexes to read: that of the id in `field`, or all shards of the index of all sessions. */
function indexesFor(operation: Operation, filter: SessionFilter, field: IdField | undefined) {
  return field === undefined
    ? Array.from({ length: INDEX_SHARDS }, (_, i) => operation.keys.allSessions(i))
    : [operation.keys.index(field, filter[field] ?? "")];
}

/** Returns the number of sessions in these indexes, or `null` if the filter has conditions besides that on `field`. */
async function countSessions(
  operation: Operation,
  filter: SessionFilter,
  field: IdField | undefined,
  names: readonly string[],
): Promise<number | null> {
  const rest = field === undefined ? filter : { ...filter, [field]: null };
  if (!isUnconditional(rest)) return null;
  const counts = await Promise.all(names.map((name) => countIndex(operation, name)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  return field === undefined ? total : Math.min(MAX_COUNTED, total);
}

/** Reads the newest entries of these indexes that are in the range, at most `count` in total. */
async function newest(
  operation: Operation,
  names: readonly string[],
  { before, from }: Range,
  count: number,
): Promise<string[]> {
  const args = [before, from, "LIMIT", 0, count];
  const read = (name: string) => operation.command("zrevrangebylex", name, ...args);
  const found = (await Promise.all(names.map(read))) as string[][];
  if (found.length === 1) return found[0] ?? [];
  return found
    .flat()
    .toSorted((a, b) => (a < b ? 1 : -1))
    .slice(0, count);
}

/**
 * Reads the session of an index entry. Returns `undefined` if its retention is over and `includePurgeable` is false.
 * Also returns `undefined` if the session has neither ids nor records, and is implicit or not live.
 */
async function sessionOf(operation: Operation, handle: string, includePurgeable: boolean) {
  const { keys, policy } = operation.engine;
  const { now } = operation;
  const text = (await operation.command("get", keys.session(handle))) as string | null;
  const session = text === null ? implicitSession(handle, policy.lifetimes) : decode(handle, text);
  if (hasNoIds(session) && (text === null || !isLive(session, now))) {
    const count = await operation.command("exists", keys.records(handle));
    if (count !== 1) return undefined;
  }
  const isKept = isLive(session, now) || now < purgeAfter(session, true, policy);
  return isKept || includePurgeable ? session : undefined;
}

function rangeOf(filter: SessionFilter, after: string | null): Range {
  const { since, until } = creationRange(filter);
  // A bound may be only the beginning of an entry. An entry that begins with the bound sorts after the bound.
  const bounds = [after === null ? LAST : entryOf(after), until === null ? LAST : boundAt(until)];
  const [before = LAST] = bounds.toSorted();
  return { before: `(${before}`, from: since === null ? "-" : `[${boundAt(since)}` };
}
