import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type AuditEntry, chainFaults } from "../../src/store/audit-chain.ts";
import { readAudit } from "../../src/store/sqlite/audit-table.ts";

/** The whole trail in a data folder, beside its server too; one that is not whole fails the test. */
export function trailIn(dataDir: string): AuditEntry[] {
  using database = new DatabaseSync(join(dataDir, "antechamber.db"), { readOnly: true });
  const entries = readAudit(database, 0, 10_000);
  assert.deepEqual(chainFaults(entries, undefined), []);
  return entries;
}

/** What `act` leaves in the trail. */
export async function leftBy(dataDir: string, act: () => Promise<unknown>): Promise<AuditEntry[]> {
  const before = trailIn(dataDir).length;
  await act();
  return trailIn(dataDir).slice(before);
}

/** Entries in short: each act, and how it went. */
export const inShort = (entries: readonly AuditEntry[]) =>
  entries.map(({ what, outcome }) => `${what} ${outcome}`);

/** The rows of a table that nothing belongs to, and what there is that has no row; both are to be empty. */
export function assertComplete(table: Readonly<Record<string, unknown>>, all: readonly string[]) {
  assert.deepEqual(Object.keys(table).toSorted(), [...new Set(all)].toSorted());
}
