// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../src/http/metrics.ts";
import { StatisticsCollector, startStatistics } from "../../src/runtime/statistics.ts";
import { Statistics } from "../../src/services/statistics.ts";
import { MINUTE_MS, type MinuteStatistics } from "../../src/session/statistics.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { until } from "../support/eventually.ts";
import { DAY, lifetimes, START } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const FIRST = Math.ceil(START / MINUTE_MS);

/** Opens a store, and a collector whose clock the test sets. */
function openWorld() {
  const directory = temporaryDirectory();
  const store = openSqliteStore({
    ...{ dataDir: directory.path, lifetimes, events: unheard, now: START, maxRecords: 10, retention: DAY },
    ...{ eventRetention: DAY, maxPending: 100, timeout: 30_000, cacheSessions: 10 },
  });
  const metrics = createMetrics();
  const clock = { now: FIRST * MINUTE_MS };
  const wallClock = () => clock.now;
  const collector = new StatisticsCollector({ counters: () => metrics.counters(), wallClock, listed: [] });
  return {
    ...{ store, metrics, clock, wallClock, collector },
    save: (into: StoreEngine = store, isLast = false) => collector.save(into, clock.now, isLast),
    /** Returns the number of created sessions by minute; all of it is stored. */
    async created() {
      const counts: Record<number, number> = {};
      for (const row of await store.readStatistics(FIRST - 100, FIRST + 100)) {
        const { created } = JSON.parse(row.counts) as MinuteStatistics;
        counts[row.minute - FIRST] = (counts[row.minute - FIRST] ?? 0) + created;
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      directory.remove();
    },
  };
}

test("the current minute is stored again and again, and counted once", async () => {
  await using world = openWorld();
  const { metrics, clock, save, created } = world;
  metrics.sessionsCreated.inc(3);
  await save();
  assert.deepEqual(await created(), { 0: 3 });
  clock.now += 10_000;
  metrics.sessionsCreated.inc(2);
  await save();
  await save();
  assert.deepEqual(await created(), { 0: 5 });
  clock.now += MINUTE_MS;
  await save();
  metrics.sessionsCreated.inc(1);
  await save();
  assert.deepEqual(await created(), { 0: 5, 1: 1 });
});

test("rows that the store does not accept are stored later, under their own minutes", async () => {
  await using world = openWorld();
  const { store, metrics, clock, save, created } = world;
  const failing = { ...store, storeStatistics: () => Promise.reject(new Error("the disk is full")) };
  for (let minute = 0; minute < 3; minute++) {
    metrics.sessionsCreated.inc(minute + 1);
    clock.now += MINUTE_MS;
    await assert.rejects(save(failing));
  }
  assert.deepEqual(await created(), {});
  await save();
  assert.deepEqual(await created(), { 0: 1, 1: 2, 2: 3, 3: 0 });
});

test("a clock that is set back doubles and loses nothing, and one that jumps forward leaves minutes out", async () => {
  await using world = openWorld();
  const { metrics, clock, save, created } = world;
  const step = async (minutes: number, sessions: number) => {
    clock.now += minutes * MINUTE_MS;
    await save();
    metrics.sessionsCreated.inc(sessions);
    await save();
  };
  await step(0, 1);
  await step(1, 2);
  await step(-1, 4);
  await step(-3, 8);
  await step(40, 16);
  assert.deepEqual(await created(), { "-3": 8, 0: 5, 1: 2, 37: 16 });
});

test("an idle process writes nothing for a quarter of an hour, and then that it ran", async () => {
  await using world = openWorld();
  const { clock, save, created } = world;
  for (let minute = 0; minute < 14; minute++) {
    await save();
    clock.now += MINUTE_MS;
  }
  assert.deepEqual(await created(), {});
  clock.now += MINUTE_MS;
  await save();
  assert.equal(Object.keys(await created()).length, 15, "only the minute of a jump is missing");
  clock.now += MINUTE_MS;
  await save(world.store, true);
  assert.equal((await created())[16], 0, "the end of the process stores the rest");
});

test("a running process stores what it counts, and the rest when it closes", async () => {
  await using world = openWorld();
  const { store, metrics, clock, wallClock, collector, created } = world;
  clock.now += 9500;
  const running = startStatistics({ collector, store, clock: wallClock, wallClock });
  metrics.sessionsCreated.inc(1);
  await until("the row is stored", async () => (await created())[0] === 1);
  metrics.sessionsCreated.inc(1);
  await running.close();
  assert.deepEqual(await created(), { 0: 2 });
});

test("counts that are stored, and counts that are only in memory, count once, by minute and by hour", async () => {
  await using world = openWorld();
  const { store, metrics, clock, wallClock, collector, save } = world;
  const statistics = new Statistics({ store, wallClock });
  statistics.unsaved = () => collector.rows(store);
  const created = async (step: number) => {
    const result = await statistics.read({ since: FIRST * MINUTE_MS - DAY, step });
    assert.ok("columns" in result);
    return result.columns.sessions.created.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  };
  let sum = 0;
  for (let hour = 0; hour < 8; hour++) {
    metrics.sessionsCreated.inc(hour + 1);
    sum += hour + 1;
    assert.deepEqual([await created(60), await created(3600)], [sum, sum]);
    await save();
    assert.deepEqual([await created(60), await created(3600)], [sum, sum]);
    clock.now += 60 * MINUTE_MS;
  }
  metrics.sessionsCreated.inc(1);
  assert.deepEqual([await created(60), await created(7200)], [sum + 1, sum + 1]);
});
