import type { AuditEntry } from "../audit-chain.ts";

/** Port: the audit trail. */
export interface AuditStore {
  /** Appends an entry. Returns false if it does not follow the last entry, because another one was appended meanwhile. */
  appendAuditEntry(entry: AuditEntry): Promise<boolean>;
  /** Returns the last entry, or `undefined` while there is none. */
  lastAuditEntry(): Promise<AuditEntry | undefined>;
  /** Returns at most `limit` entries that follow the sequence `after`. */
  readAuditEntries(after: number, limit: number): Promise<readonly AuditEntry[]>;
}
