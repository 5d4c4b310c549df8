import type { DatabaseSync } from "node:sqlite";
import { type AuditEntry, NO_HASH } from "../../audit-chain.ts";
import { Stateless } from "../transactional.ts";

/** The table `audit` on the writer's connection: the audit trail. */
export class AuditTable extends Stateless {
  readonly #database: DatabaseSync;
  readonly #insert;

  constructor(database: DatabaseSync) {
    super();
    this.#database = database;
    this.#insert = database.prepare("INSERT INTO audit VALUES (?, ?)");
  }

  /** Appends an entry. Returns false and does nothing if the entry does not follow the last one. */
  append(entry: AuditEntry): boolean {
    const last = readLastAuditEntry(this.#database);
    const isNext = entry.sequence === (last?.sequence ?? 0) + 1;
    if (!isNext || entry.previous !== (last?.hash ?? NO_HASH)) return false;
    this.#insert.run(entry.sequence, JSON.stringify(entry));
    return true;
  }
}

export function readLastAuditEntry(database: DatabaseSync): AuditEntry | undefined {
  const row = database.prepare("SELECT * FROM audit ORDER BY sequence DESC LIMIT 1").get();
  return row === undefined ? undefined : entryOf(row);
}

/** Reads at most `limit` entries after the sequence `after`. */
export function readAuditEntries(database: DatabaseSync, after: number, limit: number): AuditEntry[] {
  const rows = database.prepare("SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?");
  return rows.all(after, limit).map(entryOf);
}

/**
 * Returns the entry of a row. The sequence is taken from the row's key, so that a check of the audit trail finds an
 * entry that somebody has moved to another row.
 */
function entryOf(row: Readonly<Record<string, unknown>>): AuditEntry {
  const entry = JSON.parse(row["entry"] as string) as AuditEntry;
  return { ...entry, sequence: row["sequence"] as number };
}
