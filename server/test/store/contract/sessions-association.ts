import assert from "node:assert/strict";
import { test } from "node:test";
import { noIdentity } from "../../../src/session/session.ts";
import { noTraits } from "../../../src/session/traits.ts";
import { HOUR, MINUTE } from "../../support/sessions.ts";
import { associated, type DataFactory, openWorld } from "./world.ts";

const absent = { outcome: "absent" };

/**
 * Tests the port `sessions`: associating ids, all or none (contract.md#rule-1), visits (contract.md#rule-2), scopes
 * (contract.md#rule-4), and absent sessions.
 */
export function associationContract(name: string, make: DataFactory): void {
  test(`${name}: ids are added to a stored session and stay`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    world.now += MINUTE;
    const session = associated(await world.associate(handle, { customerId: "c" }));
    assert.equal(session.customerId, "c");
    assert.equal(session.visitId, "v");
    assert.equal(session.lastActiveAt, world.now);
    assert.equal(session.expiresAt, world.now + HOUR, "by the recognized lifetime");
    assert.deepEqual(await world.store.find(handle), session);
    await world.reopen();
    assert.deepEqual(await world.store.find(handle), session);
  });

  test(`${name}: ids are added to an implicit session`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const createdAt = world.now;
    world.now += 29 * MINUTE;
    const session = associated(await world.associate(handle, { visitId: "v" }));
    assert.deepEqual(session, {
      ...noIdentity,
      ...noTraits,
      handle,
      generation: 0,
      createdAt,
      lastActiveAt: world.now,
      expiresAt: world.now + 30 * MINUTE,
      ended: false,
      visitId: "v",
    });
    await world.reopen();
    assert.deepEqual(await world.store.find(handle), session);
  });

  test(`${name}: an expired or ended session cannot be associated`, async () => {
    await using world = await openWorld(make);
    const unstored = world.newHandle();
    const stored = await world.create({ visitId: "v" });
    const ended = await world.create({ visitId: "w" });
    await world.end(ended.handle);
    assert.deepEqual(await world.associate(ended.handle, { customerId: "c" }), absent);

    world.now += 30 * MINUTE - 1;
    associated(await world.associate(stored.handle, { globalVisitId: "g" }));
    world.now += 1;
    assert.deepEqual(await world.associate(unstored, { customerId: "c" }), absent);
    assert.deepEqual(await world.store.find(unstored), world.implicit(unstored));
    world.now += 30 * MINUTE;
    assert.deepEqual(await world.associate(stored.handle, { customerId: "c" }), absent);
  });

  test(`${name}: contract.md#rule-1: a different value for an id that is set refuses the whole request`, async () => {
    await using world = await openWorld(make);
    const before = await world.create({ customerId: "c" });
    world.now += 10 * MINUTE;
    const request = { agentId: "a", customerId: "other", visitId: "v", globalVisitId: "g" };
    assert.deepEqual(await world.associate(before.handle, request), {
      outcome: "conflict",
      field: "customerId",
    });
    assert.deepEqual(await world.store.find(before.handle), before, "not even renewed");
    await world.create({ visitId: "v" });
    await world.reopen();
    assert.deepEqual(await world.store.find(before.handle), before);
  });

  test(`${name}: contract.md#rule-2: a visit that another session holds refuses the whole request`, async () => {
    await using world = await openWorld(make);
    await world.create({ visitId: "v" });
    const stored = await world.create({ globalVisitId: "g" });
    const unstored = world.newHandle();
    for (const handle of [stored.handle, unstored]) {
      const result = await world.associate(handle, { agentId: "a", customerId: "c", visitId: "v" });
      assert.deepEqual(result, { outcome: "conflict", field: "visitId" });
    }
    assert.deepEqual(await world.store.find(stored.handle), stored);
    assert.deepEqual(await world.store.find(unstored), world.implicit(unstored));
  });

  test(`${name}: a session keeps its visit, even if the requested other visit is free`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ visitId: "v" });
    const result = await world.associate(session.handle, { visitId: "free" });
    assert.deepEqual(result, { outcome: "conflict", field: "visitId" });
    await world.create({ visitId: "free" });
  });

  test(`${name}: the holder of a visit may send it again, alone and with other ids`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ visitId: "v" });
    assert.deepEqual(associated(await world.associate(session.handle, { visitId: "v" })), session);
    const more = associated(await world.associate(session.handle, { visitId: "v", agentId: "a" }));
    assert.equal(more.agentId, "a");
    assert.deepEqual(associated(await world.associate(session.handle, { visitId: "v" })), more);
  });

  test(`${name}: repeating an association renews the session when that is due`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ customerId: "c" });
    world.now += 6 * MINUTE - 1;
    assert.deepEqual(associated(await world.associate(session.handle, { customerId: "c" })), session);
    world.now += 1;
    const renewed = associated(await world.associate(session.handle, { customerId: "c" }));
    assert.equal(renewed.expiresAt, world.now + HOUR);
    await world.reopen();
    assert.deepEqual(await world.store.find(session.handle), renewed);
  });

  test(`${name}: a visit whose holder has ended or expired may be associated`, async () => {
    await using world = await openWorld(make);
    const ended = await world.create({ visitId: "v" });
    await world.end(ended.handle);
    const heir = await world.create({ globalVisitId: "g" });
    const second = associated(await world.associate(heir.handle, { visitId: "v" }));
    world.now = second.expiresAt;
    associated(await world.associate(world.newHandle(), { visitId: "v" }));
    assert.equal(await world.isLive(heir.handle), false);
  });

  test(`${name}: contract.md#rule-4: another customer's session is absent, even if there would be a conflict`, async () => {
    await using world = await openWorld(make);
    await world.create({ visitId: "v" });
    const session = await world.create({ customerId: "alice" });
    for (const customerId of ["bob", "Alice", null]) {
      for (const given of [{ customerId: "bob" }, { customerId: "alice" }, { visitId: "v" }]) {
        assert.deepEqual(await world.associate(session.handle, given, { customerId }), absent);
      }
    }
    assert.deepEqual(await world.store.find(session.handle), session);
    associated(await world.associate(session.handle, { agentId: "a" }, { customerId: "alice" }));
  });

  test(`${name}: an anonymous session is within every scope`, async () => {
    await using world = await openWorld(make);
    const stored = await world.create({ agentId: "a" });
    associated(await world.associate(stored.handle, { customerId: "bob" }, { customerId: "bob" }));
    associated(await world.associate(world.newHandle(), { visitId: "v" }, { customerId: null }));
    assert.deepEqual(await world.associate(stored.handle, { visitId: "w" }, { customerId: "alice" }), absent);
  });
}
