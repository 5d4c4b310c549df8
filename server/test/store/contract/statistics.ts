import assert from "node:assert/strict";
import { test } from "node:test";
import {
  MINUTE_MS,
  type MinuteStatistics,
  type StatisticsRow,
  StatisticsSum,
} from "../../../src/session/statistics.ts";
import { DAY, HOUR, MINUTE, START } from "../../support/sessions.ts";
import { record } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, type World } from "./world.ts";

const FIRST = Math.floor(START / MINUTE_MS);

function row(minute: number, source: string, more: Partial<MinuteStatistics> = {}): StatisticsRow {
  const counts = { ...new StatisticsSum().toStatistics(), ...more };
  return { minute, source, counts: JSON.stringify(counts) };
}

const store = (world: World, rows: readonly StatisticsRow[], keepFrom = FIRST) =>
  world.store.storeStatistics({ rows, keepFrom, now: world.now });

/** Returns the number of created sessions by minute. */
async function createdIn(world: World, from: number, to: number): Promise<Record<string, number>> {
  const created: Record<string, number> = {};
  for (const { minute, counts } of await world.store.readStatistics(from, to)) {
    const before = created[minute - FIRST] ?? 0;
    created[minute - FIRST] = before + (JSON.parse(counts) as MinuteStatistics).created;
  }
  return created;
}

/** Tests the rows of the port `StatisticsStore`. */
export function statisticsContract(name: string, make: DataFactory): void {
  test(`${name}: rows of statistics add up, and one that is stored again replaces its earlier state`, async () => {
    await using world = await openWorld(make);
    await store(world, [row(FIRST, "a", { created: 1 }), row(FIRST, "b", { created: 10 })]);
    await store(world, [row(FIRST, "a", { created: 2 }), row(FIRST + 1, "a", { created: 5 })]);
    await store(world, [row(FIRST, "a", { created: 2 })]);
    assert.deepEqual(await createdIn(world, FIRST, FIRST + 2), { 0: 12, 1: 5 });
    assert.deepEqual(await createdIn(world, FIRST + 1, FIRST + 2), { 1: 5 }, "the end is exclusive");
    assert.deepEqual(await createdIn(world, FIRST - 60, FIRST), {});
    await world.reopen();
    assert.deepEqual(await createdIn(world, FIRST, FIRST + 2), { 0: 12, 1: 5 });
  });

  test(`${name}: rows of statistics stay after the hour is over, also if another process stores the next ones`, async () => {
    await using world = await openWorld(make);
    const hour = FIRST - (FIRST % 60);
    for (const source of ["a", "b", "c"]) {
      await store(world, [row(hour + 1, source, { created: 1 }), row(hour + 59, source, { created: 2 })], hour);
    }
    for (const source of ["a", "b"]) await store(world, [row(hour + 76, source, { created: 4 })], hour);
    const offset = hour - FIRST;
    const expected = { [offset + 1]: 3, [offset + 59]: 6, [offset + 76]: 8 };
    assert.deepEqual(await createdIn(world, hour, hour + 120), expected);
    const ofFirst = await world.store.readStatistics(hour + 1, hour + 2);
    assert.ok(ofFirst.length === 1 || name.startsWith("SQLite"), "over Redis, one row has the sum");
  });

  test(`${name}: rows of statistics whose time is over are purged`, async () => {
    await using world = await openWorld(make);
    await store(world, [row(FIRST, "a", { created: 1 })]);
    await store(world, [row(FIRST + 120, "a", { created: 2 })], FIRST + 100);
    if (name.startsWith("SQLite")) assert.deepEqual(await createdIn(world, FIRST, FIRST + 200), { 120: 2 });
  });
}

/** Tests the number of live sessions, of engines that publish events. */
export function liveCountContract(name: string, make: DataFactory): void {
  const live = (world: World) => world.store.eventBounds().then(() => world.store.countLive());

  test(`${name}: the number of live sessions follows what is stored, ended and expired`, async () => {
    await using world = await openWorld(make);
    assert.equal(await live(world), 0);
    const one = await world.create({ visitId: "v" });
    const two = await world.create({ customerId: "c" });
    const recorded = world.newHandle();
    const associated = world.newHandle();
    assert.equal(await live(world), 2);
    await world.store.storeRecords({ handle: recorded, records: [record(1)], now: world.now });
    await world.associate(associated, { customerId: "d" });
    await world.associate(one.handle, { customerId: "c" });
    await world.rotate(two.handle, 0);
    assert.equal(await live(world), 4);
    await world.end(one.handle);
    await world.end(one.handle);
    assert.equal(await live(world), 3);
    await world.end(world.newHandle());
    await world.end((await world.create({ label: "nothing but a label" })).handle);
    assert.equal(await live(world), 3, "the end of a session that was not counted");
    await world.reopen();
    assert.equal(await live(world), 3);
    world.now += 31 * MINUTE;
    await purgeAll(world);
    assert.equal(await live(world), 2, "the anonymous session with a record has expired");
    world.now += HOUR;
    await purgeAll(world);
    await purgeAll(world);
    assert.equal(await live(world), 0);
    world.now += 30 * DAY;
    await purgeAll(world);
    assert.equal(await live(world), 0);
  });

  test(`${name}: erased sessions are not counted as live, whether they were live or over`, async () => {
    await using world = await openWorld(make);
    const ended = await world.create({ customerId: "c" });
    const lives = await world.create({ customerId: "c" });
    const recorded = world.newHandle();
    await world.store.storeRecords({ handle: recorded, records: [record(1)], now: world.now });
    await world.create({ customerId: "other" });
    await world.end(ended.handle);
    const handles = [ended.handle, lives.handle, recorded, world.newHandle()];
    for (let i = 0; i < 2; i++) {
      await world.store.eraseSessions(handles, world.now);
      assert.equal(await live(world), 1);
    }
    world.now += 3 * DAY;
    await purgeAll(world);
    assert.equal(await live(world), 0);
  });

  test(`${name}: imported sessions are counted as live, each once`, async () => {
    await using source = await openWorld(make);
    const one = await source.create({ customerId: "c" });
    const over = await source.create({ customerId: "c" });
    const recorded = source.newHandle();
    await source.store.storeRecords({ handle: recorded, records: [record(1)], now: source.now });
    await source.end(over.handle);
    await using target = await openWorld(make);
    for (let i = 0; i < 2; i++) {
      for (let after: string | null | undefined; after !== null; ) {
        const page = await source.store.exportPage(after ?? null, source.now);
        await target.store.importItems({ items: page.items, cursor: page.next, now: target.now });
        after = page.next;
      }
      assert.equal(await live(target), 2, `copy ${i}`);
    }
    await target.end(one.handle);
    assert.equal(await live(target), 1);
  });
}
