import assert from "node:assert/strict";
import { test } from "node:test";
import { noIdentity } from "../../../src/session/session.ts";
import { sized } from "../../support/tier.ts";
import { type DataFactory, openWorld } from "./world.ts";

const CLIENTS = 64;
const ROUNDS = sized(5, 8, 20);
const clients = Array.from({ length: CLIENTS }, (_, i) => i);

/** Counts the results by outcome. */
function count(results: readonly { outcome: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

/**
 * Tests the port `sessions`: if only one of several concurrent requests can succeed, exactly one does
 * (contract.md#rule-1, contract.md#rule-2).
 */
export function racesContract(name: string, make: DataFactory): void {
  test(`${name}: of 64 creates of one visit one wins, and the others leave nothing`, async () => {
    await using world = await openWorld(make);
    for (let round = 0; round < ROUNDS; round++) {
      const visitId = `v${round}`;
      const sessions = clients.map((i) => world.newSession({ visitId, customerId: `c${i}` }));
      const results = await Promise.all(sessions.map((s) => world.store.create(s, world.now)));
      assert.deepEqual(count(results), { created: 1, conflict: CLIENTS - 1 });
      for (const [i, session] of sessions.entries()) {
        const found = await world.store.find(session.handle);
        const isWinner = results[i]?.outcome === "created";
        assert.deepEqual(found, isWinner ? session : world.implicit(session.handle));
      }
    }
  });

  test(`${name}: of 64 customers associated with one session one wins, with all its ids`, async () => {
    await using world = await openWorld(make);
    for (let round = 0; round < ROUNDS; round++) {
      const handle = round % 2 === 0 ? world.newHandle() : (await world.create({ agentId: "a" })).handle;
      const results = await Promise.all(
        clients.map((i) => world.associate(handle, { customerId: `c${i}`, globalVisitId: `g${i}` })),
      );
      assert.deepEqual(count(results), { associated: 1, conflict: CLIENTS - 1 });
      const winner = results.findIndex(({ outcome }) => outcome === "associated");
      const session = await world.store.find(handle);
      assert.equal(session.customerId, `c${winner}`);
      assert.equal(session.globalVisitId, `g${winner}`);
    }
  });

  test(`${name}: of 64 sessions that want one visit one gets it`, async () => {
    await using world = await openWorld(make);
    const made = clients.map(() => world.newHandle());
    const results = await Promise.all(made.map((handle) => world.associate(handle, { visitId: "v", customerId: "c" })));
    assert.deepEqual(count(results), { associated: 1, conflict: CLIENTS - 1 });
    for (const [i, handle] of made.entries()) {
      const session = await world.store.find(handle);
      const expected = results[i]?.outcome === "associated" ? "v" : null;
      assert.equal(session.visitId, expected);
      assert.equal(session.customerId, expected && "c");
    }
  });

  test(`${name}: of creates and associations of one visit exactly one wins`, async () => {
    await using world = await openWorld(make);
    for (let round = 0; round < ROUNDS; round++) {
      const visitId = `v${round}`;
      const results = await Promise.all(
        clients.map((i) =>
          i % 2 === 0
            ? world.store.create(world.newSession({ visitId }), world.now)
            : world.associate(world.newHandle(), { visitId }),
        ),
      );
      const { conflict, created = 0, associated = 0 } = count(results);
      assert.equal(conflict, CLIENTS - 1);
      assert.equal(created + associated, 1);
    }
  });

  test(`${name}: the same association, sent 64 times at once, succeeds each time`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const given = { agentId: "a", customerId: "c", visitId: "v", globalVisitId: "g" };
    const results = await Promise.all(clients.map(() => world.associate(handle, given)));
    assert.deepEqual(count(results), { associated: CLIENTS });
    assert.deepEqual(await world.store.find(handle), {
      ...(await world.store.find(handle)),
      ...noIdentity,
      ...given,
    });
  });

  test(`${name}: of 64 ends of one session exactly one succeeds`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    const results = await Promise.all(clients.map(() => world.end(handle)));
    assert.equal(results.filter(Boolean).length, 1);
    assert.equal(await world.isLive(handle), false);
  });

  test(`${name}: an end among concurrent associations is final`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ agentId: "a" });
    const all = clients.map((i) => world.associate(handle, { visitId: `v${i % 2}` }));
    const end = world.end(handle);
    all.push(...clients.map(() => world.associate(handle, { customerId: "late" })));
    await Promise.all(all);
    assert.equal(await end, true);
    assert.equal(await world.isLive(handle), false);
    await world.create({ visitId: "v0" });
    await world.create({ visitId: "v1" });
  });

  test(`${name}: 2,000 different creates at once are all stored`, async () => {
    await using world = await openWorld(make);
    const sessions = Array.from({ length: 2000 }, (_, i) => world.newSession({ visitId: `v${i}` }));
    const results = await Promise.all(sessions.map((s) => world.store.create(s, world.now)));
    assert.deepEqual(count(results), { created: 2000 });
    await world.reopen();
    for (const session of sessions) assert.deepEqual(await world.store.find(session.handle), session);
  });
}
