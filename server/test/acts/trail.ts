import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type AuditEntry, chainFaults } from "../../src/store/audit-chain.ts";
import { readAuditEntries } from "../../src/store/sqlite/tables/audit-table.ts";

/** Returns the whole trail in a data folder, also while a server runs on it, and checks its chain of hashes. */
export function trailIn(dataDir: string): AuditEntry[] {
  using database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  const entries = readAuditEntries(database, 0, 10_000);
  assert.deepEqual(chainFaults(entries, undefined), []);
  return entries;
}

/** Returns the entries that `act` leaves in the trail. */
export async function leftBy(dataDir: string, act: () => Promise<unknown>): Promise<AuditEntry[]> {
  const before = trailIn(dataDir).length;
  await act();
  return trailIn(dataDir).slice(before);
}

/** Returns the operation and the outcome of each entry. */
export const inShort = (entries: readonly AuditEntry[]) => entries.map(({ what, outcome }) => `${what} ${outcome}`);

/** Checks that a table has exactly the rows that it should have. */
export function assertComplete(table: Readonly<Record<string, unknown>>, all: readonly string[]) {
  assert.deepEqual(Object.keys(table).toSorted(), [...new Set(all)].toSorted());
}
