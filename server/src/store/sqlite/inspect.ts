import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { type AuditEntry, chainFaults } from "../audit-chain.ts";
import { StoreOpenError } from "../open-error.ts";
import { readAudit } from "./audit-table.ts";
import { databaseFile, openForReading } from "./database.ts";
import { damageOf, explained } from "./file-errors.ts";
import { forEachJournalLine } from "./journal-lines.ts";
import { EPOCH, KEYS_PER_MS, keyOf, tailOf } from "./rows.ts";
import { readMove } from "./small-tables.ts";

/** What a data directory holds; sizes in bytes. */
export interface Inspection {
  readonly file: string;
  /** Nothing when all is well, else what is wrong, at most a hundred entries. */
  readonly faults: readonly string[];
  readonly sizes: {
    readonly database: number;
    /** What waits to be carried over into the database file. */
    readonly log: number;
    /** Bytes of the database file that are free for new sessions. */
    readonly free: number;
  };
  /** The source of an incomplete move into this data; `null` if there is none. */
  readonly unfinishedMove: string | null;
  /** What is kept for longer than the retention; `undefined` when the data is too damaged to tell. */
  readonly retention: Retention | undefined;
  /** `undefined` when the data is too damaged to count. */
  readonly counts: Counts | undefined;
  readonly sqliteVersion: string | undefined;
  readonly schemaVersion: number | undefined;
}

/** How well the retention is kept. */
export interface Retention {
  /**
   * When the session that has been over for longest ended or expired, of those of which something is to be
   * told: they have an id or records. `null` when none of them is over.
   */
  readonly oldest: number | null;
  /** Sessions that are over for longer than the retention and not let go of yet. */
  readonly overdue: number;
}

/** How many there are of each. Every stored session is live, expired or ended. */
export interface Counts {
  readonly sessions: number;
  readonly live: number;
  /** Not swept yet. */
  readonly expired: number;
  readonly ended: number;
  /** Of the live ones. */
  readonly recognized: number;
  /** The number of stored request records, including those still in the journal. */
  readonly records: number;
  /** The number of these that are still in the journal: recorded just now, or by a server that was killed. */
  readonly recordsInJournal: number;
  readonly keys: number;
  readonly secrets: number;
  /** Entries of the audit trail. */
  readonly auditEntries: number;
}

const MAX_FAULTS = 100;

/**
 * Looks at the data without changing it, also while a server runs on it. Reads all of it: a million
 * sessions take a few seconds. `retention` in milliseconds. Throws `StoreOpenError` for a schema that it
 * does not know.
 */
export function inspect(dataDir: string, now: number, retention: number): Inspection {
  const file = databaseFile(dataDir);
  const sizes = { database: sizeOf(file), log: sizeOf(`${file}-wal`), free: 0 };
  const nothing = {
    unfinishedMove: null,
    retention: undefined,
    counts: undefined,
    sqliteVersion: undefined,
    schemaVersion: undefined,
  };
  let database: DatabaseSync | undefined;
  try {
    database = openForReading(file);
    const free = pragma(database, "freelist_count") * pragma(database, "page_size");
    const faults = integrityFaults(database);
    return {
      file,
      sizes: { ...sizes, free },
      sqliteVersion: String(first(database, "SELECT sqlite_version()")),
      schemaVersion: pragma(database, "user_version"),
      ...(faults.length > 0
        ? { faults, unfinishedMove: null, retention: undefined, counts: undefined }
        : {
            unfinishedMove: moveInto(database),
            faults: [...contentFaults(database, now), ...trailFaults(database)],
            retention: retentionOf(database, now, retention),
            counts: countsOf(database, now),
          }),
    };
  } catch (error) {
    const cause = error instanceof StoreOpenError ? error.cause : error;
    const damage = damageOf(cause, file);
    if (damage === undefined) throw explained(error, file);
    return { file, sizes, faults: [damage], ...nothing };
  } finally {
    database?.close();
  }
}

function integrityFaults(database: DatabaseSync): string[] {
  const rows = database.prepare(`PRAGMA integrity_check(${MAX_FAULTS})`).all();
  const lines = rows.map((row) => String(Object.values(row)[0]));
  return lines.length === 1 && lines[0] === "ok" ? [] : lines;
}

/** When a row's session was created, in SQL. */
const CREATED_AT = `(id / ${KEYS_PER_MS} + ${EPOCH})`;
const LIVE = `(ended = 0 AND ${CREATED_AT} + expires_after > ?)`;

/** What no SQLite check can know: each counts the breaches of a rule that this engine keeps. */
const rules: readonly (readonly [sql: string, message: string])[] = [
  [
    `SELECT count(*) FROM (SELECT 1 FROM sessions WHERE visit_id IS NOT NULL AND ${LIVE}
     GROUP BY visit_id HAVING count(*) > 1)`,
    "visits have more than one live session",
  ],
  [
    `SELECT count(*) FROM sessions WHERE visit_id IS NOT NULL AND ${LIVE} AND id NOT IN
     (SELECT session FROM visits UNION SELECT session FROM id_log WHERE fields >= 16)`,
    "live sessions are missing in the index of visits",
  ],
  [
    "SELECT count(*) FROM segments WHERE session NOT IN (SELECT id FROM sessions)",
    "stretches of records belong to no session",
  ],
  [
    // Those that the sweep has begun to take away have none, for a moment.
    `SELECT count(*) FROM sessions WHERE records <>
       (SELECT max(first + count - 1) FROM segments WHERE session = sessions.id)`,
    "sessions do not have the records that they count",
  ],
  [
    "SELECT count(*) FROM facts WHERE sessions <> (SELECT count(*) FROM sessions)",
    "count of sessions is not how many there are",
  ],
  ["SELECT NOT EXISTS (SELECT 1 FROM secrets)", "secret is missing: no session id can be verified"],
  ["SELECT NOT EXISTS (SELECT 1 FROM facts)", "row of facts is missing"],
];

function contentFaults(database: DatabaseSync, now: number): string[] {
  return rules.flatMap(([sql, message]) => {
    const breaches = Number(first(database, sql, ...(sql.includes("?") ? [now] : [])));
    return breaches === 0 ? [] : [`${breaches} ${message}`];
  });
}

/** How many entries of the trail are read at a time. */
const ENTRIES_READ = 1000;

function trailFaults(database: DatabaseSync): string[] {
  const faults: string[] = [];
  for (let last: AuditEntry | undefined; ; ) {
    const entries = readAudit(database, last?.sequence ?? 0, ENTRIES_READ);
    if (entries.length === 0) return faults.slice(0, MAX_FAULTS);
    for (const { sequence, fault } of chainFaults(entries, last)) {
      faults.push(`entry ${sequence} of the audit trail is ${fault}`);
    }
    last = entries.at(-1);
  }
}

/** When a row's session was over, in SQL. */
const OVER_AT = `(${CREATED_AT} + expires_after)`;

function retentionOf(database: DatabaseSync, now: number, retention: number): Retention {
  const sql = `SELECT min(${OVER_AT}) AS oldest, ifnull(sum(${OVER_AT} + ?2 <= ?1), 0) AS overdue
    FROM sessions WHERE ${OVER_AT} <= ?1 AND
      (records > 0 OR coalesce(agent_id, customer_id, visit_id, global_visit_id) IS NOT NULL)`;
  const row = database.prepare(sql).get(now, retention);
  return { oldest: row?.["oldest"] as number | null, overdue: row?.["overdue"] as number };
}

function countsOf(database: DatabaseSync, now: number): Counts {
  const row = database
    .prepare(
      `SELECT count(*) AS sessions,
         ifnull(sum(${LIVE}), 0) AS live,
         ifnull(sum(ended = 1), 0) AS ended,
         ifnull(sum(${LIVE} AND (customer_id IS NOT NULL OR agent_id IS NOT NULL)), 0) AS recognized
       FROM sessions`,
    )
    .get(now, now) as Record<"sessions" | "live" | "ended" | "recognized", number>;
  const recordsInJournal = countJournal(database);
  return {
    ...row,
    expired: row.sessions - row.live - row.ended,
    records:
      Number(first(database, "SELECT ifnull(sum(count), 0) FROM segments")) + recordsInJournal,
    recordsInJournal,
    keys: Number(first(database, "SELECT count(*) FROM keys")),
    secrets: Number(first(database, "SELECT count(*) FROM secrets")),
    auditEntries: Number(first(database, "SELECT count(*) FROM audit")),
  };
}

/** Counts lines of the journal that are not in a segment yet. */
function countJournal(database: DatabaseSync): number {
  const facts = database.prepare("SELECT tail, journaled FROM sessions WHERE id = ?");
  const merged = new Map<string, number>();
  let count = 0;
  for (const row of database.prepare("SELECT sequence, lines FROM journal").iterate()) {
    forEachJournalLine(row["lines"] as string, (id) => {
      let upTo = merged.get(id);
      if (upTo === undefined) {
        const session = facts.get(keyOf(id));
        upTo = session?.["tail"] === tailOf(id) ? (session["journaled"] as number) : 0;
        merged.set(id, upTo);
      }
      if ((row["sequence"] as number) > upTo) count++;
    });
  }
  return count;
}

/** Returns the source named in the note of a move (`migrate/migrate.ts`). */
function moveInto(database: DatabaseSync): string | null {
  const note = readMove(database);
  return note === null ? null : (JSON.parse(note) as { readonly from: string }).from;
}

function first(database: DatabaseSync, sql: string, ...parameters: number[]): unknown {
  return Object.values(database.prepare(sql).get(...parameters) ?? {})[0];
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(first(database, `PRAGMA ${name}`));
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
