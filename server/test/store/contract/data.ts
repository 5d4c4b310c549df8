import assert from "node:assert/strict";
import { test } from "node:test";
import { type DataChange, MAX_DATA_BYTES, type Preconditions, tagOfData } from "../../../src/session/data.ts";
import { anySession } from "../../../src/session/filter.ts";
import type { DataRequest, DataResult } from "../../../src/store/ports/data.ts";
import { DAY, HOUR, MINUTE } from "../../support/sessions.ts";
import { enqueue, readSummary, records } from "./timeline.ts";
import { associated, type DataFactory, openWorld, purgeAll, RETENTION, type World } from "./world.ts";

type More = Partial<Pick<DataRequest, "generation" | "scope" | "preconditions">>;

function change(world: World, handle: string, wanted: DataChange, more: More = {}): Promise<DataResult> {
  const request = { scope: "everyone", preconditions: {}, ...more } as const;
  return world.store.changeData({ handle, change: wanted, now: world.now, ...request });
}

function merge(world: World, handle: string, patch: unknown, more?: More): Promise<DataResult> {
  return change(world, handle, { kind: "merge", json: JSON.stringify(patch) }, more);
}

/** Replaces the data of a live session. */
export async function putData(world: World, handle: string, data: object): Promise<void> {
  const { outcome } = await change(world, handle, { kind: "replace", json: JSON.stringify(data) });
  assert.equal(outcome, "changed");
}

/** Returns the data of a session; `undefined` if it is not live. */
export async function readData(world: World, handle: string): Promise<unknown> {
  const { data } = await world.store.findWithData(handle);
  return (await world.isLive(handle)) ? (JSON.parse(data) as unknown) : undefined;
}

/** Tests the port `data`. */
export function dataContract(name: string, make: DataFactory): void {
  changeContract(name, make);
  lifeContract(name, make);
}

function changeContract(name: string, make: DataFactory): void {
  test(`${name}: data are merged, replaced and cleared, and survive a restart`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "c" });
    assert.deepEqual(await readData(world, handle), {});
    const first = await merge(world, handle, { cart: { a: 1, b: 2 }, name: "é😀" });
    assert.deepEqual(first, {
      outcome: "changed",
      session: null,
      json: '{"cart":{"a":1,"b":2},"name":"é😀"}',
    });
    await merge(world, handle, { cart: { a: null, c: [null] }, empty: {} });
    const expected = { cart: { b: 2, c: [null] }, name: "é😀", empty: {} };
    assert.deepEqual(await readData(world, handle), expected);
    await world.reopen();
    assert.deepEqual(await readData(world, handle), expected);
    await putData(world, handle, { only: null });
    assert.deepEqual(await readData(world, handle), { only: null });
    await putData(world, handle, {});
    await world.reopen();
    assert.deepEqual(await readData(world, handle), {});
  });

  test(`${name}: data store an implicit session, and an empty change of it stores nothing`, async () => {
    await using world = await openWorld(make);
    const [handle, untouched] = [world.newHandle(), world.newHandle()];
    world.now += MINUTE;
    await merge(world, handle, { step: 1 });
    await merge(world, untouched, {});
    const list = await world.store.listSessions({ filter: anySession, after: null, limit: 9, now: world.now });
    assert.deepEqual(
      list.sessions.map((session) => session.handle),
      [handle],
    );
    world.now += 29 * MINUTE;
    assert.equal(await world.isLive(handle), true, "the change has renewed the session");
    assert.equal(await world.isLive(untouched), false);
    world.now -= 20 * MINUTE;
    assert.deepEqual(await readSummary(world, handle), ["created  -"]);
  });

  test(`${name}: 64 clients each change another member, and all changes are stored`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const results = await Promise.all(Array.from({ length: 64 }, (_, i) => merge(world, handle, { [`m${i}`]: i })));
    assert.ok(results.every(({ outcome }) => outcome === "changed"));
    const expected = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`m${i}`, i]));
    assert.deepEqual(await readData(world, handle), expected);
  });

  test(`${name}: of clients that expect the same data, one wins`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    await merge(world, handle, { n: 0 });
    const preconditions: Preconditions = { ifMatch: [tagOfData('{"n":0}')] };
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) => merge(world, handle, { n: i + 1 }, { preconditions })),
    );
    const won = results.flatMap((result) => (result.outcome === "changed" ? [result.json] : []));
    assert.equal(won.length, 1);
    assert.equal((await world.store.findWithData(handle)).data, won[0]);
    const others = results.filter(({ outcome }) => outcome === "precondition-failed");
    assert.equal(others.length, 7);
  });

  test(`${name}: data that would become too large stay as they are`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    const most = { text: "x".repeat(MAX_DATA_BYTES - '{"text":""}'.length) };
    await putData(world, handle, most);
    assert.deepEqual(await merge(world, handle, { more: 1 }), { outcome: "too-large" });
    await world.reopen();
    assert.deepEqual(await readData(world, handle), most);
  });

  test(`${name}: only a live session of the generation within the scope has its data changed`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "c" });
    await putData(world, handle, { n: 0 });
    const absent = { outcome: "absent" };
    assert.deepEqual(await merge(world, handle, { n: 1 }, { scope: { customerId: "other" } }), absent);
    assert.deepEqual(await merge(world, handle, { n: 1 }, { scope: { customerId: null } }), absent);
    const preconditions = { ifMatch: ["no"] };
    assert.deepEqual(await merge(world, handle, {}, { scope: { customerId: null }, preconditions }), absent);
    assert.equal((await merge(world, handle, { n: 1 }, { scope: { customerId: "c" } })).outcome, "changed");
    associated(await world.rotate(handle, 0));
    assert.deepEqual(await merge(world, handle, { n: 2 }, { generation: 0 }), absent);
    assert.deepEqual(await readData(world, handle), { n: 1 });
    assert.equal((await merge(world, handle, { n: 2 }, { generation: 1 })).outcome, "changed");
    await world.end(handle);
    assert.deepEqual(await merge(world, handle, { n: 3 }), absent);
    const implicit = world.newHandle();
    world.now += DAY;
    assert.deepEqual(await merge(world, implicit, { n: 3 }), absent);
  });
}

function lifeContract(name: string, make: DataFactory): void {
  test(`${name}: ending a session by a retired id or out of reach does not take its data away`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "c" });
    associated(await world.rotate(handle, 0));
    await putData(world, handle, { step: 1 });
    const { now } = world;
    assert.equal(await world.store.end({ handle, generation: 0, scope: "everyone", now }), false);
    assert.equal(await world.store.end({ handle, scope: { customerId: "other" }, now }), false);
    assert.deepEqual(await readData(world, handle), { step: 1 });
  });

  test(`${name}: data survive records, associations, rotations and renewals`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await putData(world, handle, { step: 1 });
    enqueue(world, handle, records(1, 3));
    world.now += 20 * MINUTE;
    const { expiresAt } = associated(await world.associate(handle, { visitId: "v" }));
    assert.equal(expiresAt, world.now + 30 * MINUTE);
    associated(await world.associate(handle, { customerId: "c", label: "Phone" }));
    associated(await world.rotate(handle, 0, { given: { agentId: "a" } }));
    world.now += 50 * MINUTE;
    const renewed = world.store.renew(await world.store.find(handle), world.now);
    await world.reopen();
    assert.deepEqual(await world.store.findWithData(handle), { session: renewed, data: '{"step":1}' });
    assert.equal(renewed.label, "Phone");
    assert.equal((await readSummary(world, handle)).length, 8);
  });

  test(`${name}: a change renews the session when that is due, also if it changes nothing`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    world.now += MINUTE;
    const idle = 30 * MINUTE;
    const assertExpiry = async (patch: object, left: number) => {
      const result = await merge(world, handle, patch);
      const session = await world.store.find(handle);
      assert.deepEqual(result.outcome === "changed" && result.session, left === idle ? session : null);
      assert.equal(session.expiresAt - world.now, left);
    };
    await assertExpiry({ n: 1 }, idle);
    world.now += MINUTE;
    await assertExpiry({ n: 2 }, idle - MINUTE);
    await assertExpiry({ n: 2 }, idle - MINUTE);
    assert.deepEqual(await readData(world, handle), { n: 2 });
    world.now += 10 * MINUTE;
    await assertExpiry({ n: 2 }, idle);
    world.now += 10 * MINUTE;
    await assertExpiry({ n: 3 }, idle);
  });

  test(`${name}: a session that had only data is kept for the retention, without its data`, async () => {
    await using world = await openWorld(make);
    const [ended, expired] = [world.newHandle(), world.newHandle()];
    for (const handle of [ended, expired]) await putData(world, handle, { step: 1 });
    world.now += MINUTE;
    await world.end(ended);
    const found = async () =>
      (await world.store.listSessions({ filter: anySession, after: null, limit: 9, now: world.now })).sessions;
    assert.equal((await world.store.findWithData(ended)).data, "{}");
    world.now += HOUR;
    await purgeAll(world);
    assert.equal(await readData(world, expired), undefined);
    world.now += HOUR;
    await purgeAll(world);
    assert.deepEqual(
      (await found()).map(({ handle }) => handle),
      [expired, ended],
    );
    assert.equal((await readSummary(world, expired)).length, 2);
    world.now += RETENTION;
    await purgeAll(world);
    assert.deepEqual(await found(), []);
  });
}
