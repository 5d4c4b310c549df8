// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuditEntry, chainFaults, entryAfter } from "../../src/store/audit-chain.ts";
import { act } from "./contract/audit.ts";

const entries: AuditEntry[] = [];
for (let n = 1; n <= 6; n++) entries.push(entryAfter(entries.at(-1), act(n)));
const at = (i: number) => entries[i] as AuditEntry;

test("an unmodified trail has no faults, checked as a whole or in parts", () => {
  assert.deepEqual(chainFaults(entries, undefined), []);
  assert.deepEqual(chainFaults(entries.slice(3), at(2)), []);
  const copied = JSON.parse(JSON.stringify(entries)) as AuditEntry[];
  assert.deepEqual(chainFaults(copied, undefined), []);
});

test("any change to an entry is found", () => {
  const changes: Partial<AuditEntry>[] = [
    { at: 0 },
    { who: { ...at(2).who, credential: "k_1" } },
    { who: { ...at(2).who, keyName: "Shop server" } },
    { who: { ...at(2).who, role: "agent" } },
    { what: "keys.revoke" },
    { from: "127.0.0.2" },
    { outcome: "refused" },
    { details: { ...at(2).details, n: 4 } },
    { details: {} },
  ];
  for (const change of changes) {
    const changed = entries.with(2, { ...at(2), ...change });
    assert.deepEqual(chainFaults(changed, undefined), [{ sequence: 3, fault: "changed" }]);
  }
});

test("an entry with a recalculated hash does not match the next one", () => {
  const forged = entries.with(2, entryAfter(at(1), act(99)));
  assert.deepEqual(chainFaults(forged, undefined), [{ sequence: 4, fault: "not-linked" }]);
});

test("missing, duplicate and reordered entries are found", () => {
  const faults = (some: AuditEntry[]) => chainFaults(some, undefined).map(({ fault }) => fault);
  assert.deepEqual(faults(entries.toSpliced(2, 1)), ["out-of-order"]);
  assert.deepEqual(faults(entries.slice(1)), ["out-of-order"]);
  assert.deepEqual(faults(entries.toSpliced(3, 0, at(2))), ["out-of-order"]);
  const swapped = entries.with(2, at(3)).with(3, at(2));
  assert.deepEqual(faults(swapped), ["out-of-order", "out-of-order", "out-of-order"]);
  // Renumbers the later entries to hide the gap.
  const renumbered = entries.toSpliced(2, 1).map((entry, i) => ({ ...entry, sequence: i + 1 }));
  assert.deepEqual(faults(renumbered), ["not-linked", "changed", "changed"]);
});
