import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, HOUR, MINUTE } from "../../support/sessions.ts";
import { associated, type DataFactory, openWorld, purgeAll, RETENTION } from "./world.ts";

/** Tests the port `sessions`: renewing, ending, expiring and purging, also of implicit sessions. */
export function lifetimeContract(name: string, make: DataFactory): void {
  test(`${name}: an unknown id is an implicit session, and finding it stores nothing`, async () => {
    await using world = await openWorld(make);
    const made = Array.from({ length: 100 }, () => world.newHandle());
    for (const handle of made) assert.deepEqual(await world.store.find(handle), world.implicit(handle));
    world.now += MINUTE;
    for (const handle of made) assert.deepEqual(await world.store.find(handle), world.implicit(handle));
    await world.reopen();
    for (const handle of made) assert.deepEqual(await world.store.find(handle), world.implicit(handle));
    assert.deepEqual(world.committed, []);
  });

  test(`${name}: the cached session is the stored one, and only the id that opened it finds it`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    const id = `${handle}AAAAAAAAAAAAAAAA`;
    const assertCached = async () => {
      const found = await world.store.find(handle, id);
      assert.deepEqual(found, await world.store.find(handle));
      assert.deepEqual(world.store.getCached(id) ?? found, found);
      for (const text of [
        "",
        "x",
        "undefined",
        handle,
        id.slice(1),
        `${handle}BBBBBBBBBBBBBBBB`,
        ` ${id}`,
        "__proto__",
      ]) {
        assert.equal(world.store.getCached(text), undefined, text);
      }
    };
    await assertCached();
    await world.associate(handle, { customerId: "c" });
    await assertCached();
    world.now += 20 * MINUTE;
    world.store.renew(await world.store.find(handle), world.now);
    await assertCached();
    await world.end(handle);
    await assertCached();
    assert.equal(await world.isLive(handle), false);
    await world.reopen();
    await assertCached();
  });

  test(`${name}: a renewal is visible at once and after a restart`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ customerId: "c" });
    world.now += 30 * MINUTE;
    const renewed = world.store.renew(session, world.now);
    assert.equal(renewed.lastActiveAt, world.now);
    assert.equal(renewed.expiresAt, world.now + HOUR);
    assert.deepEqual(await world.store.find(session.handle), renewed);
    await world.reopen();
    assert.deepEqual(await world.store.find(session.handle), renewed);
  });

  test(`${name}: a renewed implicit session is stored, and stays anonymous`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const before = await world.store.find(handle);
    world.now += 29 * MINUTE;
    const renewed = world.store.renew(before, world.now);
    assert.deepEqual(renewed, {
      ...before,
      lastActiveAt: world.now,
      expiresAt: world.now + 30 * MINUTE,
    });
    await world.reopen();
    assert.deepEqual(await world.store.find(handle), renewed);
    world.now += 20 * MINUTE;
    associated(await world.associate(handle, { customerId: "c" }));
  });

  test(`${name}: contract.md#rule-6: renewals never extend a session beyond its total life`, async () => {
    await using world = await openWorld(make);
    const { handle, createdAt } = await world.create({ visitId: "v" });
    while (world.now < createdAt + DAY - MINUTE) {
      world.now += 29 * MINUTE;
      if (await world.isLive(handle)) world.store.renew(await world.store.find(handle), world.now);
    }
    assert.equal((await world.store.find(handle)).expiresAt, createdAt + DAY);
    world.now = createdAt + DAY;
    assert.equal(await world.isLive(handle), false);
  });

  test(`${name}: a renewal and an association at the same time both take effect`, async () => {
    await using world = await openWorld(make);
    for (const given of [{ visitId: "v" }, undefined]) {
      const { handle } = given ? await world.create(given) : { handle: world.newHandle() };
      const before = await world.store.find(handle);
      world.now += 10 * MINUTE;
      const first = world.associate(handle, { customerId: "c" });
      world.store.renew(before, world.now);
      associated(await first);
      assert.equal((await world.store.find(handle)).customerId, "c");
      await world.reopen();
      const after = await world.store.find(handle);
      assert.equal(after.customerId, "c");
      assert.equal(after.visitId, given?.visitId ?? null);
      assert.equal(after.expiresAt, world.now + HOUR);
    }
  });

  test(`${name}: a session ends once and stays ended`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "c" });
    assert.equal(await world.end(handle), true);
    assert.equal(await world.isLive(handle), false);
    assert.equal(await world.end(handle), false);
    await world.reopen();
    assert.equal(await world.isLive(handle), false);
    assert.equal(await world.end(handle), false);
  });

  test(`${name}: a session can be ended only within the scope`, async () => {
    await using world = await openWorld(make);
    const theirs = await world.create({ customerId: "c", visitId: "v" });
    const nobodys = await world.create({ visitId: "w" });
    const unstored = world.newHandle();
    const other = { customerId: "d" };
    assert.equal(await world.end(theirs.handle, other), false);
    assert.equal(await world.end(theirs.handle, { customerId: null }), false);
    assert.equal(await world.isLive(theirs.handle), true);
    const rival = world.newSession({ visitId: "v" });
    const conflict = { outcome: "conflict", field: "visitId" };
    assert.deepEqual(await world.store.create(rival, world.now), conflict, "its visit is held");
    assert.equal(await world.end(nobodys.handle, other), true);
    assert.equal(await world.end(unstored, other), true);
    assert.equal(await world.end(theirs.handle, { customerId: "c" }), true);
  });

  test(`${name}: an implicit session ends and stays ended, too`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    assert.equal(await world.end(handle), true);
    assert.equal(await world.isLive(handle), false);
    await world.reopen();
    assert.equal(await world.isLive(handle), false);
    assert.equal(await world.end(handle), false);
  });

  test(`${name}: an expired session cannot be ended`, async () => {
    await using world = await openWorld(make);
    const stored = await world.create({ visitId: "v" });
    const unstored = world.newHandle();
    world.now = stored.expiresAt;
    assert.equal(await world.end(stored.handle), false);
    assert.equal(await world.end(unstored), false);
  });

  test(`${name}: a renewal at the same time as the end does not bring the session back`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ customerId: "c" });
    world.now += 10 * MINUTE;
    const end = world.end(session.handle);
    world.store.renew(session, world.now);
    assert.equal(await end, true);
    assert.equal(await world.isLive(session.handle), false);
    await world.reopen();
    assert.equal(await world.isLive(session.handle), false);
  });

  test(`${name}: purging removes all expired sessions, a batch at a time, and nothing else`, async () => {
    await using world = await openWorld(make);
    const old = await Promise.all(Array.from({ length: 700 }, (_, i) => world.create({ visitId: `old ${i}` })));
    const ended = await world.create({ visitId: "ended" });
    await world.end(ended.handle);
    const kept = await world.create({ customerId: "kept" });
    world.now += 40 * MINUTE;
    const young = await world.create({ visitId: "young" });

    const first = await world.store.purgeExpired(world.now);
    assert.ok(first.expired < 700, "one batch must not purge everything");
    const purged = first.expired + (await purgeAll(world));
    assert.equal(purged, world.purged(700), "each once, and not the ended one");
    assert.deepEqual(await world.store.find(kept.handle), kept);
    assert.deepEqual(await world.store.find(young.handle), young);
    await world.reopen();
    for (const { handle } of [...old.slice(0, 5), ended]) {
      assert.notEqual((await world.store.find(handle)).visitId, null, "kept for the retention");
      assert.equal(await world.isLive(handle), false);
    }
    assert.deepEqual(await world.store.find(kept.handle), kept);
    assert.deepEqual(await world.store.find(young.handle), young);
    world.now += RETENTION;
    await purgeAll(world);
    await world.reopen();
    for (const { handle } of [...old.slice(0, 5), ended]) {
      assert.deepEqual(await world.store.find(handle), world.implicit(handle), "nothing is stored");
      assert.equal(await world.isLive(handle), false);
    }
    assert.deepEqual(await world.store.find(kept.handle), kept);
    assert.deepEqual(await world.store.find(young.handle), young);
  });

  test(`${name}: a renewed session is not purged before it expires`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ visitId: "v" });
    world.now += 29 * MINUTE;
    const renewed = world.store.renew(session, world.now);
    world.now += 29 * MINUTE;
    await purgeAll(world);
    await world.reopen();
    assert.deepEqual(await world.store.find(session.handle), renewed);
    world.now = renewed.expiresAt;
    assert.equal(await purgeAll(world), world.purged(1));
  });

  test(`${name}: purging never turns an ended session back into an implicit one`, async () => {
    await using world = await openWorld(make);
    const stored = await world.create({ customerId: "c" });
    const anonymous = world.newHandle();
    await world.end(stored.handle);
    await world.end(anonymous);
    for (let minute = 0; minute <= 90; minute += 10) {
      await purgeAll(world);
      for (const handle of [stored.handle, anonymous]) {
        assert.equal(await world.isLive(handle), false, `after ${minute} minutes`);
      }
      await world.reopen();
      world.now += 10 * MINUTE;
    }
  });

  test(`${name}: purging never brings an expired session back where recognized sessions live shorter than anonymous ones`, async () => {
    const anonymous = { idle: HOUR, total: DAY };
    const recognized = { idle: 10 * MINUTE, total: DAY };
    await using world = await openWorld(make, { anonymous, recognized });
    const { handle } = await world.create({ customerId: "c" });
    for (world.now += 10 * MINUTE; world.now < (await world.store.find(handle)).createdAt + 2 * HOUR; ) {
      await purgeAll(world);
      assert.equal(await world.isLive(handle), false);
      assert.deepEqual(await world.associate(handle, { visitId: "v" }), { outcome: "absent" });
      world.now += 10 * MINUTE;
    }
  });
}
