import type { DatabaseSync } from "node:sqlite";
import { isMatch, isUnconditional, type SessionFilter } from "../../session/filter.ts";
import { sortKeyOf } from "../../session/id.ts";
import { hasNoIds, idFields, isLive, type Session } from "../../session/session.ts";
import { type ListRequest, MAX_COUNTED, type SessionPage } from "../ports/search.ts";
import type { Tables } from "./apply.ts";
import {
  EPOCH,
  idOf,
  KEYS_PER_MS,
  keyOf,
  placeOfKey,
  type SessionRow,
  sessionColumns,
  sessionOf,
} from "./rows.ts";
import type { WriterOptions } from "./writer.ts";

/** How many rows a page looks at, at the most: the writer waits as long. */
const ROWS_LOOKED_AT = 1024;

/** A row of the table on its way to a page. */
interface Row {
  readonly session: Session;
  readonly key: number;
  readonly hasRecords: boolean;
}

/** Where a page lies, in row keys. */
interface Range {
  readonly before: number;
  readonly from: number;
}

/** Finds sessions on the writer's connection, outside its transactions. */
export function createFinder(
  database: DatabaseSync,
  { ids, sessions }: Tables,
  { retention }: WriterOptions,
): (request: ListRequest) => SessionPage {
  const columns = `id, records, ${sessionColumns}`;
  const inOrder = database.prepare(
    `SELECT ${columns} FROM sessions WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ${ROWS_LOOKED_AT}`,
  );
  const byKeys = database.prepare(
    `SELECT ${columns} FROM sessions WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC`,
  );
  inOrder.setReturnArrays(true);
  byKeys.setReturnArrays(true);

  /** The next rows in which what is asked for may be, and whether there are none after them. */
  function rowsOf(filter: SessionFilter, { before, from }: Range) {
    const field = mostTelling.find((one) => filter[one] !== null);
    if (field === undefined) {
      const rows = inOrder.all(before, from) as unknown as RawRow[];
      return { rows: rows.map(rowOf), isLast: rows.length < ROWS_LOOKED_AT, reached: undefined };
    }
    const keys = ids.sessions(field, filter[field] ?? "", before, ROWS_LOOKED_AT);
    const rows = byKeys.all(JSON.stringify(keys.filter((key) => key >= from)));
    const reached = keys.at(-1);
    const isLast = keys.length < ROWS_LOOKED_AT || (reached !== undefined && reached < from);
    return { rows: (rows as unknown as RawRow[]).map(rowOf), isLast, reached };
  }

  function isTold({ session, hasRecords }: Row, now: number): boolean {
    if (isLive(session, now)) return true;
    return (hasRecords || !hasNoIds(session)) && now < session.expiresAt + retention;
  }

  /** Entries of the index may be of sessions that have gone since. */
  function totalOf(filter: SessionFilter): number | null {
    if (isUnconditional(filter)) return sessions.count;
    const field = mostTelling.find((one) => filter[one] !== null);
    if (field === undefined || !isUnconditional({ ...filter, [field]: null })) return null;
    const keys = ids.sessions(field, filter[field] ?? "", Number.MAX_SAFE_INTEGER, MAX_COUNTED);
    return Number(countKept.get(JSON.stringify(keys))?.["n"]);
  }
  const countKept = database.prepare(
    "SELECT count(*) AS n FROM json_each(?) WHERE EXISTS (SELECT 1 FROM sessions WHERE id = value)",
  );

  return ({ filter, after, limit, now, includePurgeable: withOutdated = false }) => {
    const { rows, isLast, reached } = rowsOf(filter, rangeOf(filter, after));
    const total = after === null ? totalOf(filter) : null;
    const found: Session[] = [];
    for (const row of rows) {
      if (!(withOutdated || isTold(row, now)) || !isMatch(row.session, filter, now)) continue;
      // One more than asked for: the page before it is not the last.
      if (found.length === limit) {
        return { sessions: found, next: sortKeyOf(found.at(-1)?.id ?? ""), total };
      }
      found.push(row.session);
    }
    const last = reached ?? rows.at(-1)?.key;
    const next = isLast || last === undefined ? null : placeOfKey(last);
    return { sessions: found, next, total };
  };
}

/** Of ids that are asked for together, the one that the fewest sessions have. */
const mostTelling = idFields.toSorted((a, b) => weight(b) - weight(a));

function weight(field: (typeof idFields)[number]): number {
  return ["agentId", "customerId", "globalVisitId", "visitId"].indexOf(field);
}

function rangeOf({ since, until }: SessionFilter, after: string | null): Range {
  const before = until === null ? Number.MAX_SAFE_INTEGER : firstKeyAt(until);
  return {
    before: after === null ? before : Math.min(before, keyOf(after)),
    from: since === null ? Number.MIN_SAFE_INTEGER : firstKeyAt(since),
  };
}

/** The first row key of a session created at `time` (ms); a bound for times that no key has. */
function firstKeyAt(time: number): number {
  const key = (time - EPOCH) * KEYS_PER_MS;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, key));
}

type RawRow = [id: number, records: number, ...row: SessionRow];

function rowOf([key, records, ...row]: RawRow): Row {
  return { session: sessionOf(idOf(key, row[0]), key, row), key, hasRecords: records > 0 };
}
