import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession, type SessionFilter } from "../../../src/session/filter.ts";
import type { Lifetimes } from "../../../src/session/lifetime.ts";
import { noIdentity, type Session } from "../../../src/session/session.ts";
import { DAY, HOUR, MINUTE, lifetimes as usual } from "../../support/sessions.ts";
import { enqueue, inEveryState, readPage, readSummary, records } from "./timeline.ts";
import { associated, type DataFactory, openWorld, purgeAll, RETENTION, type World } from "./world.ts";

const profiles = new Map([
  ["remember", { idle: 30 * DAY, total: 90 * DAY }],
  ["kiosk", { idle: 2 * MINUTE, total: HOUR }],
]);
const lifetimes: Lifetimes = { ...usual, profiles };

async function handlesOf(world: World, given: Partial<SessionFilter>, includePurgeable = false): Promise<string[]> {
  const filter = { ...anySession, ...given };
  const request = { filter, after: null, limit: 100, now: world.now, includePurgeable };
  return (await world.store.listSessions(request)).sessions.map(({ handle }) => handle);
}

/** Asserts that the store returns the session in exactly this state, also after it was opened again. */
async function assertStored(world: World, session: Session): Promise<void> {
  assert.deepEqual(await world.store.find(session.handle), session);
  await world.reopen();
  assert.deepEqual(await world.store.find(session.handle), session);
}

/** Tests profiles and labels (contract.md#rule-10 and contract.md#rule-11). */
export function traitsContract(name: string, make: DataFactory): void {
  test(`${name}: a session with only a profile or only a label is stored when it is created`, async () => {
    await using world = await openWorld(make, lifetimes);
    const remembered = await world.create({ profile: "remember" });
    const labelled = await world.create({ label: "Firefox on Windows" });
    assert.equal(remembered.expiresAt, world.now + 30 * DAY);
    assert.equal(labelled.expiresAt, world.now + 30 * MINUTE);
    assert.deepEqual(await handlesOf(world, {}), [labelled.handle, remembered.handle]);
    await assertStored(world, remembered);
    await assertStored(world, labelled);
    world.now += 29 * DAY;
    assert.equal(await world.isLive(remembered.handle), true);
    assert.equal(await world.isLive(labelled.handle), false);
  });

  test(`${name}: a profile stores an implicit session, and counts from then on`, async () => {
    await using world = await openWorld(make, lifetimes);
    const handle = world.newHandle();
    const createdAt = world.now;
    enqueue(world, handle, records(1, 2));
    world.now += 20 * MINUTE;
    const session = associated(await world.associate(handle, { profile: "kiosk" }));
    assert.deepEqual(session, {
      ...noIdentity,
      handle,
      generation: 0,
      createdAt,
      lastActiveAt: world.now,
      expiresAt: world.now + 2 * MINUTE,
      ended: false,
      profile: "kiosk",
      label: null,
    });
    await assertStored(world, session);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /1 -", "2 /2 -"], when);
      assert.deepEqual((await readPage(world, handle))?.life.associations, [], when);
    });
  });

  test(`${name}: the last profile counts, with the total lifetime from the creation of the session`, async () => {
    await using world = await openWorld(make, lifetimes);
    const { handle, createdAt } = await world.create({ customerId: "c", profile: "kiosk" });
    world.now += MINUTE;
    const remembered = associated(await world.associate(handle, { profile: "remember" }));
    assert.equal(remembered.expiresAt, world.now + 30 * DAY);
    world.now += 29 * DAY;
    assert.deepEqual(world.store.renew(remembered, world.now).expiresAt, world.now + 30 * DAY);
    world.now += 29 * DAY;
    world.store.renew(await world.store.find(handle), world.now);
    world.now += 25 * DAY;
    const label = associated(await world.associate(handle, { label: "Old laptop" }));
    assert.equal(label.expiresAt, createdAt + 90 * DAY);
    assert.equal(label.profile, "remember");
    await assertStored(world, label);
  });

  test(`${name}: a profile whose total lifetime has passed expires the session at once`, async () => {
    await using world = await openWorld(make, lifetimes);
    const { handle } = await world.create({ visitId: "v", profile: "remember" });
    world.now += 2 * HOUR;
    associated(await world.associate(handle, { profile: "kiosk" }));
    assert.equal(await world.isLive(handle), false);
    assert.deepEqual(await world.associate(handle, { profile: "remember" }), { outcome: "absent" });
    await world.create({ visitId: "v" });
  });

  test(`${name}: ids and a rotation come together with a profile and a label`, async () => {
    await using world = await openWorld(make, lifetimes);
    const handle = world.newHandle();
    const given = { customerId: "c", visitId: "v", profile: "remember", label: "Firefox" };
    const rotated = associated(await world.rotate(handle, 0, { given }));
    const { generation, customerId, visitId, profile, label } = rotated;
    assert.deepEqual({ generation, customerId, visitId, profile, label }, { generation: 1, ...given });
    assert.equal(rotated.expiresAt, world.now + 30 * DAY);
    await assertStored(world, rotated);
    assert.deepEqual(await readSummary(world, handle), ["created  -", "associated customerId+visitId c", "rotated  c"]);
    world.now += MINUTE;
    const again = associated(await world.rotate(handle, 1));
    assert.deepEqual({ ...again, generation: 1 }, { ...rotated, lastActiveAt: world.now, expiresAt: again.expiresAt });
    await assertStored(world, again);
  });

  test(`${name}: a label is replaced, and stays if none is given`, async () => {
    await using world = await openWorld(make, lifetimes);
    const { handle } = await world.create({ label: "x".repeat(128) });
    assert.equal(associated(await world.associate(handle, { customerId: "c" })).label, "x".repeat(128));
    world.now += MINUTE;
    const label = "Läptop 😀 \\ % = \u2028";
    const replaced = associated(await world.associate(handle, { label }));
    assert.deepEqual([replaced.label, replaced.lastActiveAt], [label, world.now]);
    assert.deepEqual(associated(await world.associate(handle, { label })), replaced, "the same label changes nothing");
    await assertStored(world, replaced);
  });

  test(`${name}: a refused association replaces neither profile nor label`, async () => {
    await using world = await openWorld(make, lifetimes);
    await world.create({ visitId: "v" });
    const before = await world.create({ customerId: "c", profile: "kiosk", label: "Lobby" });
    const traits = { profile: "remember", label: "Other" };
    for (const refused of [{ customerId: "other" }, { visitId: "v" }]) {
      const [field] = Object.keys(refused);
      const result = await world.associate(before.handle, { ...refused, ...traits });
      assert.deepEqual(result, { outcome: "conflict", field });
    }
    assert.deepEqual(await world.associate(before.handle, traits, { customerId: "d" }), { outcome: "absent" });
    await assertStored(world, before);
  });

  test(`${name}: sessions are found by their label`, async () => {
    await using world = await openWorld(make, lifetimes);
    const own = await world.create({ customerId: "c", label: "Phone" });
    const bare = await world.create({ label: "Phone" });
    await world.create({ customerId: "c", label: "phone" });
    await world.create({ customerId: "c" });
    assert.deepEqual(await handlesOf(world, { label: "Phone" }), [bare.handle, own.handle]);
    assert.deepEqual(await handlesOf(world, { label: "Phone", customerId: "c" }), [own.handle]);
    await world.associate(own.handle, { label: "Tablet" });
    assert.deepEqual(await handlesOf(world, { label: "Phone", live: true }), [bare.handle]);
    const request = { filter: { ...anySession, label: "Phone" }, after: null, limit: 1, now: world.now };
    assert.equal((await world.store.listSessions(request)).total, null);
  });

  test(`${name}: a profile and a label without ids and records are not kept after the expiry`, async () => {
    await using world = await openWorld(make, lifetimes);
    const short = await world.create({ profile: "kiosk", label: "Lobby" });
    const long = await world.create({ profile: "remember" });
    const owned = await world.create({ profile: "kiosk", customerId: "c" });
    world.now += 3 * MINUTE;
    await purgeAll(world);
    assert.equal(await world.isLive(short.handle), false, "also while its id would be that of an implicit session");
    assert.deepEqual(await handlesOf(world, {}), [owned.handle, long.handle]);
    world.now += HOUR;
    await purgeAll(world);
    assert.equal(await world.isLive(short.handle), false);
    assert.deepEqual(await handlesOf(world, { label: "Lobby" }, true), []);
    world.now += RETENTION;
    await purgeAll(world);
    assert.deepEqual(await handlesOf(world, {}), [long.handle]);
  });

  test(`${name}: a profile that is no longer configured counts like none from the next renewal on`, async () => {
    await using world = await openWorld(make);
    const session = { ...world.newSession({ customerId: "c" }), profile: "gone" };
    await world.store.create(session, world.now);
    world.now += 10 * MINUTE;
    assert.equal(world.store.renew(session, world.now).expiresAt, world.now + HOUR);
    const found = associated(await world.associate(session.handle, { label: "Phone" }));
    assert.deepEqual([found.profile, found.expiresAt], ["gone", world.now + HOUR]);
  });

  test(`${name}: a session with only a label is created once for an idempotency key`, async () => {
    await using world = await openWorld(make, lifetimes);
    const idempotent = { key: "k", fingerprint: "r", response: "first" };
    const first = world.newSession({ label: "Phone" });
    assert.deepEqual(await world.store.create(first, world.now, idempotent), { outcome: "created" });
    const second = world.newSession({ label: "Phone" });
    const replay = { outcome: "repeated", response: "first" };
    assert.deepEqual(await world.store.create(second, world.now, idempotent), replay);
    assert.deepEqual(await handlesOf(world, {}), [first.handle]);
    await assertStored(world, first);
  });
}
