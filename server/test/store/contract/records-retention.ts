import assert from "node:assert/strict";
import { test } from "node:test";
import { HOUR, MINUTE } from "../../support/sessions.ts";
import { compact, enqueue, inEveryState, readPage, readSummary, records } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, RETENTION, type World } from "./world.ts";

/** Creates a session with records, with or without ids, and then ends it or lets it expire. */
async function createFinished(
  world: World,
  { customerId, end }: { customerId: string | null; end: boolean },
): Promise<string> {
  const { handle } = customerId === null ? { handle: world.newHandle() } : await world.create({ customerId });
  enqueue(world, handle, records(1, 3));
  world.now += MINUTE;
  if (end) assert.equal(await world.end(handle), true);
  else world.now = (await world.store.find(handle)).expiresAt;
  return handle;
}

/** Tests the ports `records` and `lifecycle`: how long the data of an ended or expired session are kept. */
export function retentionContract(name: string, make: DataFactory): void {
  for (const customerId of ["anna", null]) {
    for (const end of [true, false]) {
      const what = `${customerId === null ? "an anonymous" : "a recognized"} session that ${end ? "ended" : "expired"}`;
      test(`${name}: the timeline of ${what} is kept for the retention`, async () => {
        await using world = await openWorld(make);
        const handle = await createFinished(world, { customerId, end });
        const over = (await world.store.find(handle)).expiresAt;
        const who = customerId ?? "-";
        const expected = [
          `created ${customerId === null ? "" : "customerId"} ${who}`,
          ...[1, 2, 3].map((i) => `${i} /${i} ${who}`),
          `${end ? "ended" : "expired"}  ${who}`,
        ];
        await inEveryState(world, async (when) => {
          assert.deepEqual(await readSummary(world, handle), expected, when);
        });
        for (const later of [HOUR, 24 * HOUR, RETENTION - 1]) {
          world.now = over + later;
          await purgeAll(world);
          assert.deepEqual(await readSummary(world, handle), expected, `${later} ms later`);
          assert.equal(await world.isLive(handle), false);
        }
        world.now = over + RETENTION;
        assert.equal(await readPage(world, handle), undefined, "over, and not purged");
        await purgeAll(world);
        assert.equal(await readPage(world, handle), undefined, "purged");
        await world.reopen();
        assert.equal(await readPage(world, handle), undefined, "purged, after a restart");
        assert.deepEqual(await world.store.find(handle), world.implicit(handle), "nothing is stored");
      });
    }
  }

  test(`${name}: an expired session of which nothing was stored has no timeline`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    assert.deepEqual(await readSummary(world, handle), ["created  -"]);
    world.now += HOUR;
    assert.equal(await readPage(world, handle), undefined);
    await purgeAll(world);
    assert.equal(await readPage(world, handle), undefined);
  });

  test(`${name}: records accepted just before the expiry are kept`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    world.now = world.implicit(handle).expiresAt - 1;
    enqueue(world, handle, records(1, 5));
    world.now += 1;
    assert.equal(await world.isLive(handle), false);
    await inEveryState(world, async (when) => {
      const expected = ["created  -", ...[1, 2, 3, 4, 5].map((i) => `${i} /${i} -`), "expired  -"];
      assert.deepEqual(await readSummary(world, handle), expected, when);
    });
  });

  test(`${name}: purging a session removes all its records, a batch at a time`, async () => {
    await using world = await openWorld(make);
    const made = Array.from({ length: 1200 }, () => world.newHandle());
    // Several rounds, because an engine may store each round separately.
    for (let round = 0; round < 3; round++) {
      for (const handle of made) enqueue(world, handle, records(round * 10 + 1, round * 10 + 10));
      await compact(world);
    }
    const kept = await world.create({ customerId: "kept" });
    enqueue(world, kept.handle, records(1, 10));
    world.now = world.implicit(made.at(-1) as string).expiresAt + RETENTION;
    const young = world.newHandle();
    enqueue(world, young, records(1, 10));
    await world.store.advanceClock(world.now);

    let batches = 0;
    for (let quiet = 0; quiet < 4; batches++) {
      quiet = (await world.store.purgeExpired(world.now)).hasMore ? 0 : quiet + 1;
    }
    assert.ok(batches < 200, `${batches} batches: purging is slower than creating`);
    for (const handle of made) assert.deepEqual(await world.store.find(handle), world.implicit(handle));
    assert.equal((await readPage(world, kept.handle))?.total, 10);
    assert.equal((await readPage(world, young))?.total, 10);
    await world.reopen();
    for (const handle of made) assert.equal(await readPage(world, handle), undefined);
    assert.equal((await readPage(world, kept.handle))?.total, 10);
    assert.equal((await readPage(world, young))?.total, 10);
  });

  test(`${name}: records of a session whose retention ends while they are queued are dropped`, async () => {
    await using world = await openWorld(make);
    const handle = await createFinished(world, { customerId: "anna", end: true });
    world.now += RETENTION;
    await purgeAll(world);
    await world.reopen();
    await compact(world);
    assert.equal(await readPage(world, handle), undefined);
    assert.deepEqual(await world.store.find(handle), world.implicit(handle), "nothing is stored");
  });
}
