import assert from "node:assert/strict";
import { test } from "node:test";
import { type Act, type AuditEntry, chainFaults, entryAfter } from "../../../src/store/audit-chain.ts";
import { START } from "../../support/sessions.ts";
import { type DataFactory, openWorld } from "./world.ts";

/** Returns an audited act with details that depend on `n`. */
export function act(n: number): Act {
  return {
    at: START + n,
    who: { role: "administrator", credential: "k_0", keyName: "Läden", agentId: "é😀" },
    what: "keys.create",
    from: "127.0.0.1",
    outcome: "done",
    details: { n, z: null, a: "text \u2028", isDry: false },
  };
}

/** Tests the port `audit`. */
export function auditContract(name: string, make: DataFactory): void {
  test(`${name}: audit entries are stored in order, each linked to the one before`, async () => {
    await using world = await openWorld(make);
    assert.equal(await world.store.lastAuditEntry(), undefined);
    const entries: AuditEntry[] = [];
    for (let n = 1; n <= 25; n++) {
      const entry = entryAfter(entries.at(-1), act(n));
      assert.equal(await world.store.appendAuditEntry(entry), true);
      entries.push(entry);
    }
    for (const when of ["at once", "after a restart"]) {
      assert.deepEqual(await world.store.readAuditEntries(0, 100), entries, when);
      assert.deepEqual(await world.store.readAuditEntries(20, 3), entries.slice(20, 23));
      assert.deepEqual(await world.store.readAuditEntries(25, 3), []);
      assert.deepEqual(await world.store.lastAuditEntry(), entries.at(-1));
      await world.reopen();
    }
    assert.deepEqual(chainFaults(await world.store.readAuditEntries(0, 100), undefined), []);
  });

  test(`${name}: of entries with the same position, exactly one is stored`, async () => {
    await using world = await openWorld(make);
    const rivals = Array.from({ length: 8 }, (_, n) => entryAfter(undefined, act(n)));
    const results = await Promise.all(rivals.map((entry) => world.store.appendAuditEntry(entry)));
    assert.equal(results.filter(Boolean).length, 1);
    const winner = rivals[results.indexOf(true)] as AuditEntry;
    assert.deepEqual(await world.store.readAuditEntries(0, 10), [winner]);
    const [forged, skipped] = [
      { ...entryAfter(winner, act(1)), previous: "f".repeat(64) },
      { ...entryAfter(winner, act(1)), sequence: 3 },
    ];
    assert.equal(await world.store.appendAuditEntry(forged), false);
    assert.equal(await world.store.appendAuditEntry(skipped), false);
    assert.equal(await world.store.appendAuditEntry(entryAfter(winner, act(1))), true);
  });
}
