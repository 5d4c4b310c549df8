import assert from "node:assert/strict";
import { test } from "node:test";
import { idFields } from "../../../src/session/fields.ts";
import { identityOf } from "../../../src/session/session.ts";
import { ids, MINUTE } from "../../support/sessions.ts";
import { type DataFactory, openWorld } from "./world.ts";

const conflict = { outcome: "conflict", field: "visitId" };

/** Tests the port `sessions`: storing new sessions, and which session gets a visit (contract.md#rule-2). */
export function creationContract(name: string, make: DataFactory): void {
  test(`${name}: a created session is found unchanged, also after a restart`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({
      agentId: "a",
      customerId: "c",
      visitId: "v",
      globalVisitId: "g",
    });
    assert.deepEqual(await world.store.find(session.handle), session);
    await world.reopen();
    assert.deepEqual(await world.store.find(session.handle), session);
  });

  for (const field of idFields) {
    test(`${name}: a session with only ${field} is stored`, async () => {
      await using world = await openWorld(make);
      const session = await world.create({ [field]: "x" });
      await world.reopen();
      assert.deepEqual(await world.store.find(session.handle), session);
    });
  }

  test(`${name}: ids are stored exactly, whatever characters they have`, async () => {
    await using world = await openWorld(make);
    const values = [
      "x".repeat(256),
      "🦊".repeat(256),
      "  spaces  ",
      "'; DROP TABLE sessions; --",
      "{}:*?[a]\\",
      "é",
      "e\u0301",
      "\u2028",
      "\uFEFFmark",
      "__proto__",
      "1",
      "1.0",
      "NULL",
    ];
    const sessions = [];
    for (const value of values) {
      sessions.push(await world.create(identityOf(() => value)));
    }
    await world.reopen();
    for (const session of sessions) assert.deepEqual(await world.store.find(session.handle), session);
  });

  test(`${name}: contract.md#rule-2: a visit of a live session is refused, and nothing is stored`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    const rival = world.newSession({ visitId: "v", customerId: "c" });
    assert.deepEqual(await world.store.create(rival, world.now), conflict);
    assert.deepEqual(await world.store.find(rival.handle), world.implicit(rival.handle));
    assert.deepEqual(await world.store.find(holder.handle), holder);
    await world.reopen();
    const secondRival = world.newSession({ visitId: "v" });
    assert.deepEqual(await world.store.create(secondRival, world.now), conflict);
  });

  test(`${name}: a visit is free from the millisecond of its holder's expiry`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    world.now = holder.expiresAt - 1;
    assert.deepEqual(await world.store.create(world.newSession({ visitId: "v" }), world.now), conflict);
    world.now = holder.expiresAt;
    const next = await world.create({ visitId: "v" });
    assert.equal(await world.isLive(holder.handle), false);
    assert.equal(await world.isLive(next.handle), true);
    assert.deepEqual(await world.store.create(world.newSession({ visitId: "v" }), world.now), conflict);
  });

  test(`${name}: a session that was renewed keeps its visit`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    world.now += 20 * MINUTE;
    const renewed = world.store.renew(holder, world.now);
    world.now = renewed.expiresAt - 1;
    assert.deepEqual(await world.store.create(world.newSession({ visitId: "v" }), world.now), conflict);
    world.now = renewed.expiresAt;
    await world.create({ visitId: "v" });
  });

  test(`${name}: a visit is free when its holder has ended`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    assert.equal(await world.end(holder.handle), true);
    const next = await world.create({ visitId: "v" });
    await world.reopen();
    assert.deepEqual(await world.store.create(world.newSession({ visitId: "v" }), world.now), conflict);
    assert.deepEqual(await world.store.find(next.handle), next);
  });

  test(`${name}: one visit is used by a hundred sessions in turn, each ended or expired`, async () => {
    await using world = await openWorld(make);
    for (let round = 0; round < 100; round++) {
      const holder = await world.create({ visitId: "v" });
      if (round % 2 === 0) await world.end(holder.handle);
      else world.now = holder.expiresAt;
    }
    const last = await world.create({ visitId: "v" });
    assert.deepEqual(await world.store.create(world.newSession({ visitId: "v" }), world.now), conflict);
    assert.equal(await world.isLive(last.handle), true);
  });

  test(`${name}: a global visit, a customer or an agent may have many sessions`, async () => {
    await using world = await openWorld(make);
    const given = { agentId: "a", customerId: "c", globalVisitId: "g" };
    for (const visitId of ["1", "2", "3"]) await world.create({ ...given, visitId });
    await world.create(given);
  });

  test(`${name}: visits that differ in a single character are different`, async () => {
    await using world = await openWorld(make);
    for (const visitId of ["v", "V", "v ", " v", "é", "e\u0301", "1", "01", "1.0", "ß", "ss"]) {
      await world.create({ visitId });
    }
  });

  test(`${name}: creating a session is refused if anything is stored under its id`, async () => {
    await using world = await openWorld(make);
    const first = await world.create({ customerId: "first" });
    const second = { ...first, ...ids({ customerId: "second" }) };
    assert.deepEqual(await world.store.create(second, world.now), { outcome: "id-taken" });
    assert.deepEqual(await world.store.find(first.handle), first);
    await world.reopen();
    assert.deepEqual(await world.store.find(first.handle), first);
  });

  test(`${name}: sessions that are created in the same millisecond are all stored`, async () => {
    await using world = await openWorld(make);
    const made = await Promise.all(Array.from({ length: 200 }, (_, i) => world.create({ customerId: `c${i}` })));
    await world.reopen();
    for (const session of made) assert.deepEqual(await world.store.find(session.handle), session);
  });
}
