import type { DatabaseSync } from "node:sqlite";
import { type AuditEntry, NO_HASH } from "../audit-chain.ts";

/** The audit trail, on the writer's connection. */
export interface AuditTable {
  /** False when the entry does not follow the last one. */
  append(entry: AuditEntry): boolean;
}

/** The trail in `database`. */
export function createAuditTable(database: DatabaseSync): AuditTable {
  const insert = database.prepare("INSERT INTO audit VALUES (?, ?)");
  return {
    append(entry) {
      const last = readLastAudit(database);
      const follows = entry.sequence === (last?.sequence ?? 0) + 1;
      if (!follows || entry.previous !== (last?.hash ?? NO_HASH)) return false;
      insert.run(entry.sequence, JSON.stringify(entry));
      return true;
    },
  };
}

/** The last entry of the trail; `undefined` while there is none. */
export function readLastAudit(database: DatabaseSync): AuditEntry | undefined {
  const row = database.prepare("SELECT * FROM audit ORDER BY sequence DESC LIMIT 1").get();
  return row === undefined ? undefined : entryOf(row);
}

/** At most `limit` entries after the one of the sequence `after`. */
export function readAudit(database: DatabaseSync, after: number, limit: number): AuditEntry[] {
  const rows = database.prepare("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?");
  return rows.all(after, limit).map(entryOf);
}

/** The row's own number counts: what was put elsewhere by hand is to show. */
function entryOf(row: Readonly<Record<string, unknown>>): AuditEntry {
  const entry = JSON.parse(row["entry"] as string) as AuditEntry;
  return { ...entry, sequence: row["sequence"] as number };
}
