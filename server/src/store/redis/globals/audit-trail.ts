import type { AuditEntry } from "../../audit-chain.ts";
import type { Operation } from "../engine.ts";
import { scripts } from "../scripts/scripts.ts";

/** Appends an entry to the audit trail; returns false if it does not follow the last one. */
export async function append(operation: Operation, entry: AuditEntry): Promise<boolean> {
  const args = [entry.sequence, entry.previous, entry.hash, JSON.stringify(entry)];
  return (await operation.change(scripts.appendAuditEntry, [operation.keys.audit], args)) === 1;
}

/** Reads the entries from index `from` to `to`, inclusive; -1 is the last one. */
export async function read(operation: Operation, from: number, to: number) {
  const texts = await operation.command("lrange", operation.keys.audit, from, to);
  return (texts as string[]).map((text) => JSON.parse(text) as AuditEntry);
}
