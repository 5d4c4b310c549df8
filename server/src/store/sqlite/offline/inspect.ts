import type { DatabaseSync } from "node:sqlite";
import { NO_DATA } from "../../../session/data.ts";
import { type AuditEntry, chainFaults } from "../../audit-chain.ts";
import { StoreOpenError } from "../../open-error.ts";
import { EventPages } from "../events/event-pages.ts";
import { databaseFile, fileSize, openForReading } from "../files/database.ts";
import { damageOf, explained } from "../files/file-errors.ts";
import { HOLDS } from "../index/index-batch.ts";
import { forEachUnmergedLine } from "../records/journal-lines.ts";
import { readAuditEntries } from "../tables/audit-table.ts";
import { readImportCursor } from "../tables/meta-tables.ts";
import { ANY_ID, ENDED, EPOCH, ERASED, isRowOf, KEYS_PER_MS, keyOf } from "../tables/session-row.ts";
import { FAILED, PENDING } from "../webhooks/delivery-row.ts";

/** The result of an inspection. Sizes are in bytes. A value that damage makes unreadable is `undefined`. */
export interface Inspection {
  readonly file: string;
  /** Texts that say what is wrong, about a hundred at most; empty if nothing is wrong. */
  readonly faults: readonly string[];
  readonly sizes: {
    readonly database: number;
    /** The size of the write-ahead log. */
    readonly log: number;
    /** Bytes of the database file that are free for new data. */
    readonly free: number;
  };
  /** The source of an unfinished import into this data; `null` if there is none. */
  readonly unfinishedMove: string | null;
  readonly retention: Retention | undefined;
  readonly counts: Counts | undefined;
  readonly sqliteVersion: string | undefined;
  readonly schemaVersion: number | undefined;
}

/** Figures that show whether data is deleted after the retention. */
export interface Retention {
  /** The earliest time (Unix ms) at which a stored session with ids or records ended or expired; `null` if none has. */
  readonly oldest: number | null;
  /** The number of sessions whose retention is over, but which are not purged yet. */
  readonly overdue: number;
}

/** Numbers of rows. Every stored session is live, expired or ended. */
export interface Counts {
  readonly sessions: number;
  readonly live: number;
  /** Expired sessions that are not purged yet. */
  readonly expired: number;
  readonly ended: number;
  /** Live sessions with a customer or an agent. */
  readonly recognized: number;
  /** Stored request records, including those in the journal. */
  readonly records: number;
  /** Live sessions with data. */
  readonly withData: number;
  /** Records that are only in the journal. They were recorded just now, or by a server that was killed. */
  readonly recordsInJournal: number;
  readonly keys: number;
  readonly secrets: number;
  readonly auditEntries: number;
  /** Events in the event log. */
  readonly events: number;
  /** Endpoints of webhooks, and their deliveries that are not finished, or have failed and are still kept. */
  readonly webhooks: number;
  readonly pendingDeliveries: number;
  readonly failedDeliveries: number;
}

const MAX_FAULTS = 100;

/**
 * Inspects the data without changing it, even while a server runs on it. Reads all of the data: a million sessions take
 * a few seconds. `now` is in Unix ms, `retention` in ms. Throws `StoreOpenError` for an unknown schema.
 */
export function inspect(dataDir: string, now: number, retention: number): Inspection {
  const file = databaseFile(dataDir);
  const unknown = {
    file,
    sizes: { database: fileSize(file), log: fileSize(`${file}-wal`), free: 0 },
    ...{ sqliteVersion: undefined, schemaVersion: undefined },
    ...{ unfinishedMove: null, faults: [], retention: undefined, counts: undefined },
  };
  let database: DatabaseSync | undefined;
  try {
    database = openForReading(file);
    const free = pragma(database, "freelist_count") * pragma(database, "page_size");
    const sqliteVersion = String(first(database, "SELECT sqlite_version()"));
    const schemaVersion = pragma(database, "user_version");
    const sizes = { ...unknown.sizes, free };
    const known = { ...unknown, sizes, sqliteVersion, schemaVersion };
    const faults = integrityFaults(database);
    if (faults.length > 0) return { ...known, faults };
    return {
      ...known,
      unfinishedMove: importSource(database),
      faults: [...contentFaults(database, now), ...trailFaults(database)],
      retention: inspectRetention(database, now, retention),
      counts: countRows(database, now),
    };
  } catch (error) {
    const cause = error instanceof StoreOpenError ? error.cause : error;
    const damage = damageOf(cause, file);
    if (damage === undefined) throw explained(error, file);
    return { ...unknown, faults: [damage] };
  } finally {
    database?.close();
  }
}

function integrityFaults(database: DatabaseSync): string[] {
  const rows = database.prepare(`PRAGMA integrity_check(${MAX_FAULTS})`).all();
  const lines = rows.map((row) => String(Object.values(row)[0]));
  return lines.length === 1 && lines[0] === "ok" ? [] : lines;
}

/** SQL for the time at which the session of a row was created, in Unix ms. */
const CREATED_AT = `(id / ${KEYS_PER_MS} + ${EPOCH})`;
/** SQL for the time at which the session of a row expires or has ended, in Unix ms. */
const OVER_AT = `(${CREATED_AT} + expires_after)`;
/** SQL for the generation of the session of a row, which is the first item of a JSON text if the session has traits. */
const GENERATION = "iif(typeof(generation) = 'text', generation ->> 0, generation)";
/** SQL that is true if the session of a row is live at the time ?1. */
const LIVE = `(ended = 0 AND ${OVER_AT} > ?1)`;

/** Rules for the data: a query for the number of violations at the time ?1, and a text for the fault. */
const rules: readonly (readonly [sql: string, message: string])[] = [
  [
    `SELECT count(*) FROM (SELECT 1 FROM sessions WHERE visit_id IS NOT NULL AND ${LIVE}
     GROUP BY visit_id HAVING count(*) > 1)`,
    "visits have more than one live session",
  ],
  [
    `SELECT count(*) FROM sessions WHERE visit_id IS NOT NULL AND ${LIVE} AND id NOT IN
     (SELECT session FROM visit_holders UNION SELECT session FROM index_log WHERE fields & ${HOLDS})`,
    "live sessions are missing in the index of visits",
  ],
  [
    "SELECT count(*) FROM segments WHERE session NOT IN (SELECT id FROM sessions)",
    "segments of records belong to no session",
  ],
  [
    // A session that is being purged may have no segments for a moment. Then max() is NULL, and the session is not
    // counted as a violation.
    `SELECT count(*) FROM sessions WHERE records <>
       (SELECT max(first + count - 1) FROM segments WHERE session = sessions.id)`,
    "sessions do not have the number of records that they count",
  ],
  [
    "SELECT count(*) FROM session_data WHERE session NOT IN (SELECT id FROM sessions)",
    "rows of session data belong to no session",
  ],
  [
    "SELECT count(*) FROM session_data JOIN sessions ON id = session WHERE ended <> 0 AND json <> ''",
    "sessions that are over still have data",
  ],
  [
    "SELECT count(*) FROM facts WHERE session_count <> (SELECT count(*) FROM sessions)",
    "stored count of sessions is wrong",
  ],
  [
    "SELECT count(*) FROM facts WHERE live_count <> (SELECT count(*) FROM sessions WHERE ended = 0)",
    "stored count of live sessions is wrong",
  ],
  [
    // 32 stands for a rotation in the third part of an event (`event-bits.ts`).
    `SELECT count(*) FROM sessions WHERE (generation <> 0 OR history IS NOT NULL) AND ${GENERATION} <>
       (SELECT count(*) FROM json_each(ifnull(history, '[]')) WHERE json_extract(value, '$[2]') & 32)`,
    "sessions do not have the generation that their history counts",
  ],
  ["SELECT NOT EXISTS (SELECT 1 FROM secrets)", "secret is missing: no session id can be verified"],
  ["SELECT NOT EXISTS (SELECT 1 FROM facts)", "row of facts is missing"],
];

function contentFaults(database: DatabaseSync, now: number): string[] {
  return rules.flatMap(([sql, message]) => {
    const violations = Number(first(database, sql, ...(sql.includes("?1") ? [now] : [])));
    return violations === 0 ? [] : [`${violations} ${message}`];
  });
}

/** The number of entries of the audit trail that are read at a time. */
const ENTRIES_READ = 1000;

function trailFaults(database: DatabaseSync): string[] {
  const faults: string[] = [];
  for (let last: AuditEntry | undefined; ; ) {
    const entries = readAuditEntries(database, last?.sequence ?? 0, ENTRIES_READ);
    if (entries.length === 0) return faults.slice(0, MAX_FAULTS);
    for (const { sequence, fault } of chainFaults(entries, last)) {
      faults.push(`entry ${sequence} of the audit trail is ${fault}`);
    }
    last = entries.at(-1);
  }
}

function inspectRetention(database: DatabaseSync, now: number, retention: number): Retention {
  const sql = `SELECT min(${OVER_AT}) AS oldest, ifnull(sum(${OVER_AT} + ?2 <= ?1), 0) AS overdue
    FROM sessions WHERE ${OVER_AT} <= ?1 AND
      (records > 0 OR ${ANY_ID} IS NOT NULL)`;
  return { ...database.prepare(sql).get(now, retention) } as unknown as Retention;
}

function countRows(database: DatabaseSync, now: number): Counts {
  const sessions = database.prepare(
    `SELECT count(*) AS sessions,
       ifnull(sum(${LIVE}), 0) AS live,
       ifnull(sum(ended IN (${ENDED}, ${ERASED})), 0) AS ended,
       ifnull(sum(${LIVE} AND coalesce(customer_id, agent_id) IS NOT NULL), 0) AS recognized
     FROM sessions`,
  );
  const row = sessions.get(now) as Record<"sessions" | "live" | "ended" | "recognized", number>;
  const recordsInJournal = countJournal(database);
  const count = (sql: string) => Number(first(database, sql));
  return {
    ...row,
    expired: row.sessions - row.live - row.ended,
    withData: countWithData(database, now),
    records: count("SELECT ifnull(sum(count), 0) FROM segments") + recordsInJournal,
    recordsInJournal,
    keys: count("SELECT count(*) FROM keys"),
    secrets: count("SELECT count(*) FROM secrets"),
    auditEntries: count("SELECT count(*) FROM audit"),
    events: new EventPages(database).bounds().events,
    webhooks: count("SELECT count(*) FROM webhook_endpoints WHERE endpoint IS NOT NULL"),
    pendingDeliveries: count(`SELECT count(*) FROM webhook_deliveries WHERE state = ${PENDING}`),
    failedDeliveries: count(`SELECT count(*) FROM webhook_deliveries WHERE state = ${FAILED}`),
  };
}

function countWithData(database: DatabaseSync, now: number): number {
  const sql = `SELECT count(*) AS count FROM session_data JOIN sessions ON id = session
    WHERE ${LIVE} AND json NOT IN ('', ?2)`;
  return Number(database.prepare(sql).get(now, NO_DATA)?.["count"]);
}

/** Counts the lines of the journal that are not merged into segments. */
function countJournal(database: DatabaseSync): number {
  const sessions = database.prepare("SELECT random_high, random_low, journaled FROM sessions WHERE id = ?");
  let count = 0;
  const mergedTo = (handle: string) => {
    const row = sessions.get(keyOf(handle)) as Record<"random_high" | "random_low" | "journaled", number> | undefined;
    return row !== undefined && isRowOf(handle, row.random_high, row.random_low) ? row.journaled : 0;
  };
  forEachUnmergedLine(database, mergedTo, () => count++);
  return count;
}

/** Returns the source of an unfinished import, which its cursor contains (`migrate/migrate.ts`). */
function importSource(database: DatabaseSync): string | null {
  const cursor = readImportCursor(database);
  return cursor === null ? null : (JSON.parse(cursor) as { readonly from: string }).from;
}

function first(database: DatabaseSync, sql: string, ...parameters: number[]): unknown {
  return Object.values(database.prepare(sql).get(...parameters) ?? {})[0];
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(first(database, `PRAGMA ${name}`));
}
