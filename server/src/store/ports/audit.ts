import type { AuditEntry } from "../audit-chain.ts";

/** Port: the audit trail. */
export interface AuditStore {
  /** Appends an entry. Returns false if it does not follow the last one, because another was appended meanwhile. */
  appendAuditEntry(entry: AuditEntry): Promise<boolean>;
  /** Returns the last entry, or `undefined` if the audit trail is empty. */
  lastAuditEntry(): Promise<AuditEntry | undefined>;
  /** Returns at most `limit` entries, beginning with the one after the sequence `after`. */
  readAuditEntries(after: number, limit: number): Promise<readonly AuditEntry[]>;
}
