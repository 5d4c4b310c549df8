import assert from "node:assert/strict";
import { test } from "node:test";
import { MINUTE, SECOND } from "../../support/sessions.ts";
import { sized } from "../../support/tier.ts";
import {
  compact,
  enqueue,
  inEveryState,
  pathsOf,
  readPage,
  readSummary,
  record,
  records,
  timelineOf,
} from "./timeline.ts";
import { associated, type DataFactory, MAX_RECORDS, openWorld } from "./world.ts";

/** Tests the port `records`: requests are recorded, and read in order with the identity at their time. */
export function recordsContract(name: string, make: DataFactory): void {
  test(`${name}: accepted records are visible at once, in order, and stay`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    for (let i = 1; i <= 20; i++) enqueue(world, handle, [record(i)]);
    enqueue(world, handle, records(21, 50));
    await inEveryState(world, async (when) => {
      const found = await readPage(world, handle);
      assert.deepEqual(found?.records, records(1, 50), when);
      assert.equal(found?.total, 50);
      assert.equal(found?.dropped, 0);
      assert.equal(found?.first, 1);
    });
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: a record is stored unchanged, whatever it contains`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const attributes = JSON.parse(
      '{"__proto__":"p","constructor":"c","":"no name","line":"a\\nb\\r\\n\\u0000","\\u2028":"\\u2029é😀"}',
    ) as Record<string, string>;
    const odd = [
      record("all", { attributes, service: "shop 😀", durationMs: 0.001 }),
      record("nothing", { status: null, durationMs: null, startedAt: 0 }),
      record('"\\[],%0A😀', { method: "M-SEARCH", startedAt: 8.64e15, status: 599 }),
      record("long", { attributes: { text: "é".repeat(4000) } }),
      record("x".repeat(8000)),
    ];
    enqueue(world, handle, odd);
    await inEveryState(world, async (when) => {
      const found = await readPage(world, handle);
      assert.deepEqual(found?.records, odd, when);
      assert.deepEqual(Object.keys(found?.records[0]?.attributes ?? {}), Object.keys(attributes));
      assert.equal(Object.hasOwn(found?.records[0]?.attributes ?? {}, "__proto__"), true);
    });
  });

  test(`${name}: durable records come after those that were queued before`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    for (let i = 1; i <= 30; i += 3) {
      enqueue(world, handle, [record(i)]);
      const stored = await world.store.storeRecords({
        handle,
        records: [record(i + 1)],
        now: world.now,
      });
      assert.deepEqual(stored, { outcome: "recorded" });
      enqueue(world, handle, [record(i + 2)]);
    }
    await inEveryState(world, async (when) => {
      assert.deepEqual((await readPage(world, handle))?.records, records(1, 30), when);
    });
  });

  test(`${name}: records that arrive at the same time for several sessions are not mixed up`, async () => {
    await using world = await openWorld(make);
    const made = Array.from({ length: sized(20, 20, 60) }, () => world.newHandle());
    for (let i = 1; i <= 40; i++) {
      for (const [n, handle] of made.entries()) {
        if ((i + n) % 3 > 0) enqueue(world, handle, [record(`${n}/${i}`)]);
        else await world.store.storeRecords({ handle, records: [record(`${n}/${i}`)], now: world.now });
      }
      world.now += SECOND;
      // More records arrive while some are compacted.
      await world.store.purgeExpired(world.now);
      if (i % 15 === 0) await world.reopen();
    }
    await inEveryState(world, async (when) => {
      for (const [n, handle] of made.entries()) {
        const expected = Array.from({ length: 40 }, (_, i) => `/${n}/${i + 1}`);
        assert.deepEqual(await pathsOf(world, handle), expected, `${when}, session ${n}`);
      }
    });
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: every record has the identity that the session had at its time`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const expected = ["created  -"];
    const go = (line: string) => expected.push(line);
    for (const i of [1, 2, 3]) {
      enqueue(world, handle, [record(i)]);
      go(`${i} /${i} -`);
    }
    // Record 3 is queued before the association, but may be stored together with it.
    associated(await world.associate(handle, { visitId: "v" }));
    go("associated visitId -");
    enqueue(world, handle, [record(4)]);
    go("4 /4 -");
    await compact(world);
    associated(await world.associate(handle, { customerId: "anna", globalVisitId: "g" }));
    go("associated customerId+globalVisitId anna");
    for (const i of [5, 6]) {
      enqueue(world, handle, [record(i)]);
      go(`${i} /${i} anna`);
    }
    const last = world.associate(handle, { agentId: "7" });
    go("associated agentId anna");
    associated(await last);
    // Repeating an association sets nothing, so it adds no event.
    associated(await world.associate(handle, { agentId: "7", visitId: "v" }));
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), expected, when);
      assert.deepEqual(await readSummary(world, handle, 1), expected, when);
      assert.deepEqual(await readSummary(world, handle, 3), expected, when);
    });
  });

  test(`${name}: the events of a session have the times at which they happened`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ visitId: "v", customerId: "anna" });
    world.now += MINUTE;
    const at = world.now;
    associated(await world.associate(session.handle, { agentId: "7" }));
    world.now += MINUTE;
    const end = world.now;
    await world.end(session.handle);
    await inEveryState(world, async (when) => {
      const life = (await timelineOf(world, session.handle)).map((entry) =>
        entry.type === "request" ? entry.sequence : [entry.type, entry.at, entry.fields.join()],
      );
      const expected = [
        ["created", session.createdAt, "customerId,visitId"],
        ["associated", at, "agentId"],
        ["ended", end, ""],
      ];
      assert.deepEqual(life, expected, when);
    });
  });

  test(`${name}: a refused association leaves nothing in the timeline`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    const other = await world.create({ visitId: "w" });
    enqueue(world, handle, [record(1)]);
    assert.equal((await world.associate(handle, { visitId: "w" })).outcome, "conflict");
    const free = world.newHandle();
    assert.equal((await world.associate(free, { visitId: "w" })).outcome, "conflict");
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), ["created visitId -", "1 /1 -"], when);
      assert.deepEqual(await readSummary(world, other.handle), ["created visitId -"], when);
    });
  });

  test(`${name}: a session keeps its newest records and counts the dropped ones`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    let total = 0;
    const expect = async (when: string) => {
      const dropped = Math.max(0, total - MAX_RECORDS);
      const found = await readPage(world, handle);
      assert.equal(found?.total, total, when);
      assert.equal(found?.dropped, dropped, when);
      assert.equal(found?.first, dropped + 1, when);
      assert.deepEqual(found?.records, records(dropped + 1, total), `${total} ${when}`);
    };
    for (const more of [1, MAX_RECORDS - 1, 1, 30, 1, MAX_RECORDS, 3 * MAX_RECORDS + 7, 1]) {
      enqueue(world, handle, records(total + 1, total + more));
      total += more;
      await inEveryState(world, expect);
    }
  });

  test(`${name}: the remaining records keep their identity, even after the records from before its association were dropped`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    enqueue(world, handle, records(1, 2));
    associated(await world.associate(handle, { customerId: "anna" }));
    enqueue(world, handle, records(3, MAX_RECORDS + 10));
    await inEveryState(world, async (when) => {
      const lines = await readSummary(world, handle, 7);
      assert.deepEqual(lines.slice(0, 3), ["created  -", "associated customerId anna", "11 /11 anna"], when);
      assert.equal(lines.length, MAX_RECORDS + 2);
    });
  });

  test(`${name}: a page of records begins and ends where requested`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    enqueue(world, handle, records(1, 40));
    await compact(world);
    enqueue(world, handle, records(41, 60));
    for (const [after, limit, first, last] of [
      [0, 1, 1, 1],
      [0, 60, 1, 60],
      [0, 1000, 1, 60],
      [39, 1, 40, 40],
      [39, 2, 40, 41],
      [40, 5, 41, 45],
      [59, 5, 60, 60],
      [60, 5, 61, 60],
      [1e9, 5, 1e9 + 1, 1e9],
    ] as const) {
      const found = await readPage(world, handle, { after, limit });
      const expected = first > last ? [] : records(first, last);
      assert.deepEqual(found?.records, expected, `after ${after}, ${limit}`);
      assert.equal(found?.first, first);
      assert.equal(found?.total, 60);
    }
  });

  test(`${name}: long records are all returned, in several pages`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const long = Array.from({ length: MAX_RECORDS }, (_, i) =>
      record(i + 1, { attributes: { text: "x".repeat(8000) } }),
    );
    enqueue(world, handle, long.slice(0, 70));
    await compact(world);
    enqueue(world, handle, long.slice(70));
    const paths = long.map(({ path }) => path);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await pathsOf(world, handle), paths, when);
    });
  });

  test(`${name}: contract.md#rule-4: records are returned only within the session's scope`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    enqueue(world, handle, records(1, 3));
    await inEveryState(world, async (when) => {
      const found = await readPage(world, handle, { scope: { customerId: "bob" } });
      assert.equal(found?.total, 3, `nobody's: ${when}`);
    });
    associated(await world.associate(handle, { customerId: "anna" }));
    enqueue(world, handle, records(4, 5));
    await inEveryState(world, async (when) => {
      for (const customerId of ["bob", null]) {
        assert.equal(await readPage(world, handle, { scope: { customerId } }), undefined, when);
      }
      const found = await readPage(world, handle, { scope: { customerId: "anna" } });
      assert.deepEqual(found?.records, records(1, 5), when);
    });
  });

  test(`${name}: closing stores every accepted record`, async () => {
    await using world = await openWorld(make);
    const made = Array.from({ length: 20 }, () => world.newHandle());
    for (const handle of made) enqueue(world, handle, records(1, 5));
    await world.reopen();
    for (const handle of made) enqueue(world, handle, records(6, 10));
    const reopened = world.reopen();
    await reopened;
    for (const handle of made) assert.equal((await pathsOf(world, handle)).length, 10);
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: recording does not change or renew the session`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const before = await world.store.find(handle);
    enqueue(world, handle, records(1, 3));
    await inEveryState(world, async (when) => {
      assert.deepEqual(await world.store.find(handle), before, when);
    });
    associated(await world.associate(handle, { customerId: "anna" }));
    assert.equal((await world.store.find(handle)).customerId, "anna");
    assert.deepEqual(await readSummary(world, handle), [
      "created  -",
      ...[1, 2, 3].map((i) => `${i} /${i} -`),
      "associated customerId anna",
    ]);
  });
}
