import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../../src/session/errors.ts";
import { HOUR, MINUTE, START } from "../../support/sessions.ts";
import { type DataFactory, openWorld } from "./world.ts";

/** Tests the port `lifecycle`: the clock, the status, reports of commits, and closing. */
export function lifecycleContract(name: string, make: DataFactory): void {
  test(`${name}: the clock's high-water mark is the latest stored time, and never falls`, async () => {
    await using world = await openWorld(make);
    assert.ok((await world.store.clockHighWaterMark()) <= START);
    await world.store.advanceClock(START + HOUR);
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
    await world.store.advanceClock(START + MINUTE);
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
    await world.reopen();
    assert.equal(await world.store.clockHighWaterMark(), START + HOUR);
  });

  test(`${name}: every stored change advances the clock's high-water mark`, async () => {
    await using world = await openWorld(make);
    const session = world.newSession({ visitId: "v" });
    const anonymous = world.newHandle();
    const changes = [
      () => world.store.create(session, world.now),
      () => world.associate(session.handle, { customerId: "c" }),
      () => world.end(anonymous),
    ];
    for (const change of changes) {
      world.now += MINUTE;
      await change();
      assert.ok((await world.store.clockHighWaterMark()) >= world.now);
    }
    await world.reopen();
    assert.ok((await world.store.clockHighWaterMark()) >= world.now);
  });

  test(`${name}: the status of an idle engine is writable, with nothing pending`, async () => {
    await using world = await openWorld(make);
    await world.create({ visitId: "v" });
    const { writable, pending, bytes } = world.store.status();
    assert.equal(writable, true);
    assert.equal(pending, 0);
    assert.ok(bytes === undefined || bytes > 0);
  });

  test(`${name}: the engine reports each group of changes that it commits, with their number`, async () => {
    await using world = await openWorld(make);
    await Promise.all(Array.from({ length: 100 }, (_, i) => world.create({ visitId: `v${i}` })));
    assert.equal(
      world.committed.reduce((sum, changes) => sum + changes, 0),
      100,
    );
    assert.ok(world.committed.length < 100, "changes that come together are committed together");
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: closing completes every accepted change, including renewals`, async () => {
    await using world = await openWorld(make);
    const before = await world.create({ customerId: "c" });
    const session = world.newSession({ visitId: "v" });
    const anonymous = world.newHandle();
    world.now += 30 * MINUTE;
    const renewed = world.store.renew(before, world.now);
    const taken = [
      world.store.create(session, world.now - 30 * MINUTE),
      world.associate(anonymous, { visitId: "w" }),
      world.end(anonymous),
    ];
    const reopened = world.reopen();
    await Promise.all(taken);
    await reopened;
    assert.deepEqual(await world.store.find(before.handle), renewed);
    assert.deepEqual(await world.store.find(session.handle), session);
  });

  test(`${name}: a closed store refuses changes as unavailable`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await world.reopen();
    const session = world.newSession({ visitId: "v" });
    await assert.rejects(store.create(session, world.now), (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.reason.code, "unavailable");
      return true;
    });
    assert.deepEqual(await world.store.find(session.handle), world.implicit(session.handle));
  });
}
