import type { DatabaseSync } from "node:sqlite";
import { idsBySelectivity } from "../../../session/fields.ts";
import { creationRange, isMatch, isUnconditional, type SessionFilter } from "../../../session/filter.ts";
import { hasNoIds, isLive, type Session } from "../../../session/session.ts";
import { MAX_COUNTED } from "../../ports/search.ts";
import { sqlOf } from "../statements.ts";
import {
  EPOCH,
  handleBeforeRow,
  handleOf,
  KEYS_PER_MS,
  keyOf,
  type SessionRow,
  sessionColumns,
  sessionOf,
} from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { ReadOperations } from "../writer/writer-protocol.ts";

/** The maximum number of rows that a page reads. It is low, because reading a page blocks the writer thread. */
const ROWS_READ = 1024;

/** Creates the operation that lists sessions. `retention` is in ms. */
export function createSessionSearch(
  database: DatabaseSync,
  { index, sessions, data }: Tables,
  retention: number,
): ReadOperations["listSessions"] {
  const sql = sqlOf(database);
  const columns = `id, records, ${sessionColumns}`;
  const inOrder = sql`SELECT ${columns} FROM sessions WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ${ROWS_READ}`;
  const byKeys = sql`SELECT ${columns} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC`;
  const countExisting = sql`SELECT count(*) AS n FROM json_each(?) WHERE EXISTS (SELECT 1 FROM sessions WHERE id = value)`;
  inOrder.setReturnArrays(true);
  byKeys.setReturnArrays(true);

  /** Reads the next rows that may match. `lastKey` is the last one examined. `isLast`: there are no more. */
  function readRows(filter: SessionFilter, { before, from }: ReturnType<typeof rangeOf>) {
    const field = idsBySelectivity.find((one) => filter[one] !== null);
    if (field === undefined) {
      const rows = inOrder.all(before, from) as unknown as RawRow[];
      return { rows: rows.map(rowOf), isLast: rows.length < ROWS_READ, lastKey: rows.at(-1)?.[0] };
    }
    const keys = index.sessions(field, filter[field] ?? "", before, ROWS_READ);
    const rows = byKeys.all(JSON.stringify(keys.filter((key) => key >= from)));
    const lastKey = keys.at(-1);
    const isLast = keys.length < ROWS_READ || (lastKey !== undefined && lastKey < from);
    return { rows: (rows as unknown as RawRow[]).map(rowOf), isLast, lastKey };
  }

  function isRetained({ session, hasRecords }: ReturnType<typeof rowOf>, now: number): boolean {
    if (isLive(session, now)) return true;
    if (now >= session.expiresAt + retention) return false;
    return hasRecords || !hasNoIds(session) || data.has(keyOf(session.handle));
  }

  /** Returns the number of sessions that match a filter with one id or none; `null` for any other filter. */
  function countSessions(filter: SessionFilter): number | null {
    if (isUnconditional(filter)) return sessions.count;
    const field = idsBySelectivity.find((one) => filter[one] !== null);
    if (field === undefined || !isUnconditional({ ...filter, [field]: null })) return null;
    const keys = index.sessions(field, filter[field] ?? "", Number.MAX_SAFE_INTEGER, MAX_COUNTED);
    // Only existing rows count, because the index may have entries of deleted sessions.
    return Number(countExisting.get(JSON.stringify(keys))?.["n"]);
  }

  return ({ filter, after, limit, now, includePurgeable = false }) => {
    const { rows, isLast, lastKey } = readRows(filter, rangeOf(filter, after));
    const total = after === null ? countSessions(filter) : null;
    const found: Session[] = [];
    for (const row of rows) {
      if (!(includePurgeable || isRetained(row, now)) || !isMatch(row.session, filter, now)) continue;
      // The page already has `limit` sessions, and this one matches too, so another page follows.
      if (found.length === limit) {
        return { sessions: found, next: found.at(-1)?.handle ?? "", total };
      }
      found.push(row.session);
    }
    const next = isLast || lastKey === undefined ? null : handleBeforeRow(lastKey);
    return { sessions: found, next, total };
  };
}

/** Returns the range of row keys in which a page is searched: from `from` inclusive to `before` exclusive. */
function rangeOf(filter: SessionFilter, after: string | null) {
  const { since, until } = creationRange(filter);
  const before = until === null ? Number.MAX_SAFE_INTEGER : firstKeyAt(until);
  return {
    before: after === null ? before : Math.min(before, keyOf(after)),
    from: since === null ? Number.MIN_SAFE_INTEGER : firstKeyAt(since),
  };
}

/** Returns the lowest row key of sessions created at `time` (Unix ms), limited to safe integers. */
function firstKeyAt(time: number): number {
  const key = (time - EPOCH) * KEYS_PER_MS;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, key));
}

type RawRow = [id: number, records: number, ...row: SessionRow];

function rowOf([key, records, ...row]: RawRow) {
  return { session: sessionOf(handleOf(key, row[0], row[1]), key, row), hasRecords: records > 0 };
}
