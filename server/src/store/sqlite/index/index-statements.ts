import type { DatabaseSync } from "node:sqlite";
import { sqlOf } from "../statements.ts";

/** The maximum number of rows of `index_log` or `index_deleted` that a transaction reads or deletes. */
const ROWS = 8192;
/** The maximum number of deleted sessions in one purge. */
const SESSIONS_PURGED = 65_536;

/** The prepared statements for the tables of the index, except those for its sorted runs. */
export type IndexStatements = ReturnType<typeof prepareIndexStatements>;

export function prepareIndexStatements(database: DatabaseSync) {
  const sql = sqlOf(database);
  return {
    holders: sql`SELECT session FROM visit_holders WHERE hash = ?`,
    hold: sql`INSERT OR IGNORE INTO visit_holders VALUES (?, ?)`,
    release: sql`DELETE FROM visit_holders WHERE hash = ? AND session = ?`,

    log: sql`INSERT INTO index_log VALUES (?, ?, ?, ?)`,
    logAfter: sql`SELECT sequence, session, hash FROM index_log WHERE sequence > ? AND sequence <= ?
       ORDER BY sequence LIMIT ${ROWS}`,
    deleteLogRow: sql`DELETE FROM index_log WHERE sequence = ?`,
    deleteLogOf: sql`DELETE FROM index_log WHERE session IN (SELECT value FROM json_each(?))`,
    trimLog: sql`DELETE FROM index_log WHERE sequence IN
       (SELECT sequence FROM index_log WHERE sequence <= ? ORDER BY sequence LIMIT ${ROWS})`,

    noteDeleted: sql`INSERT INTO index_deleted VALUES (?, ?)`,
    deleted: sql`SELECT sequence, session FROM index_deleted ORDER BY sequence LIMIT ${SESSIONS_PURGED}`,
    trimDeleted: sql`DELETE FROM index_deleted WHERE sequence IN
       (SELECT sequence FROM index_deleted WHERE sequence <= ? ORDER BY sequence LIMIT ${ROWS})`,
  };
}
