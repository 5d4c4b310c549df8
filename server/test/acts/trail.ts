import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type AuditEntry, chainFaults } from "../../src/store/audit-chain.ts";
import { readAuditEntries } from "../../src/store/sqlite/tables/audit-table.ts";

/** Checks and returns the whole audit trail of a data folder, on which a server may be running. */
export function trailIn(dataDir: string): AuditEntry[] {
  using database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  const entries = readAuditEntries(database, 0, 10_000);
  assert.deepEqual(chainFaults(entries, undefined), []);
  return entries;
}

/** Calls `act` and returns the entries that were added to the audit trail meanwhile. */
export async function leftBy(dataDir: string, act: () => Promise<unknown>): Promise<AuditEntry[]> {
  const before = trailIn(dataDir).length;
  await act();
  return trailIn(dataDir).slice(before);
}

/** Returns each entry as `operation outcome`. */
export const inShort = (entries: readonly AuditEntry[]) => entries.map(({ what, outcome }) => `${what} ${outcome}`);

/** Asserts that the keys of `table` are exactly `all`. */
export function assertComplete(table: Readonly<Record<string, unknown>>, all: readonly string[]) {
  assert.deepEqual(Object.keys(table).toSorted(), [...new Set(all)].toSorted());
}
