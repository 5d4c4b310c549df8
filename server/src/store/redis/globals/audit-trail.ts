import type { AuditEntry } from "../../audit-chain.ts";
import type { Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";

/** Appends an entry to the audit trail. Returns false if the entry does not follow the last stored one. */
export async function append(operation: Operation, entry: AuditEntry): Promise<boolean> {
  const args = [entry.sequence, entry.previous, entry.hash, JSON.stringify(entry)];
  return (await operation.change(scripts.appendAuditEntry, [operation.keys.audit], args)) === 1;
}

/** Reads the audit entries from index `from` to index `to`, inclusive. Indexes begin at 0; -1 is the last entry. */
export async function read(operation: Operation, from: number, to: number) {
  const texts = await operation.command("lrange", operation.keys.audit, from, to);
  return (texts as string[]).map((text) => JSON.parse(text) as AuditEntry);
}
