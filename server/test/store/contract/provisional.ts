import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../../src/session/filter.ts";
import { MAX_SET_ASIDE_AGE_MS, SET_ASIDE_MS } from "../../../src/session/provisional.ts";
import type { RequestRecord } from "../../../src/session/record.ts";
import type { Session } from "../../../src/session/session.ts";
import type { SetAsideRequest, SetAsideResult } from "../../../src/store/ports/records.ts";
import { until } from "../../support/eventually.ts";
import { lifetimes, MINUTE, SECOND } from "../../support/sessions.ts";
import { compact, enqueue, inEveryState, readPage, readSummary, record } from "./timeline.ts";
import { associated, type DataFactory, openWorld, type World } from "./world.ts";

/** Tests contract.md#provisional-records: a record that is set aside is stored when its session is used again. */
export function provisionalContract(name: string, make: DataFactory): void {
  test(`${name}: a record that is set aside leaves nothing behind, and is counted as dropped`, async () => {
    await using world = await openWorld(make);
    const made = Array.from({ length: 20 }, () => world.newHandle());
    for (const handle of made) assert.equal(await setAside(world, handle, record("robot")), "accepted");
    world.now += SET_ASIDE_MS - 1;
    await world.store.purgeExpired(world.now);
    assert.equal(world.dropped, 0);
    world.now += 1;
    await world.store.purgeExpired(world.now);
    await dropped(world, made.length);
    for (const handle of made) await use(world, handle);
    await settle(world);
    assert.deepEqual(await listed(world), []);
    for (const handle of made) assert.deepEqual(await readSummary(world, handle), ["created  -"]);
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: closing the store stores nothing that was set aside`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await setAside(world, handle, record("robot"));
    await settle(world);
    assert.deepEqual(await listed(world), []);
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: a session that is used again has the record first, with its own time`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const first = record("first", { startedAt: world.now - 200 });
    await setAside(world, handle, first);
    world.now += 59 * SECOND;
    await use(world, handle);
    enqueue(world, handle, [record(2)]);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -", "2 /2 -"], when);
    });
    assert.deepEqual(await listed(world), [handle]);
    assert.equal(world.dropped, 0);
    assert.deepEqual((await readPage(world, handle, { limit: 1 }))?.records, [first]);
  });

  test(`${name}: retrieving alone stores the record`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    await use(world, handle);
    await settle(world);
    assert.deepEqual(await listed(world), [handle]);
    assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -"]);
    assert.equal(world.dropped, 0);
  });

  test(`${name}: reading the timeline with the session's id stores the record before, by its handle not`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    assert.deepEqual(await readSummary(world, handle), ["created  -"]);
    const given = { handle, generation: 0, scope: "everyone", after: 0, limit: 1, now: world.now } as const;
    assert.deepEqual((await world.store.readRecordPage(given))?.records, [record("first")]);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -"], when);
    });
    assert.deepEqual(await listed(world), [handle]);
  });

  test(`${name}: an association comes after the record that was set aside`, async () => {
    await using world = await openWorld(make);
    const expected = ["created  -", "1 /first -", "associated customerId+visitId anna", "2 /2 anna"];
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    associated(await world.associate(handle, { customerId: "anna", visitId: "v" }));
    enqueue(world, handle, [record(2)]);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), expected, when);
    });
    assert.deepEqual(await listed(world), [handle]);
  });

  test(`${name}: a profile or a label alone stores the record too`, async () => {
    await using world = await openWorld(make);
    for (const given of [{ profile: "remember" }, { label: "Tablet" }]) {
      const handle = world.newHandle();
      await setAside(world, handle, record("first"));
      associated(await world.associate(handle, given));
      await inEveryState(world, async (when) => {
        assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -"], when);
      });
    }
    assert.equal((await listed(world)).length, 2);
  });

  test(`${name}: a rotation is a use, and comes after the record that was set aside`, async () => {
    await using world = await openWorld(make);
    const idempotent = { key: "key", fingerprint: "fingerprint", response: "next" };
    for (const more of [{}, { idempotent }]) {
      const handle = world.newHandle();
      await setAside(world, handle, record("first"));
      assert.equal(associated(await world.rotate(handle, 0, more)).generation, 1);
      enqueue(world, handle, [record(2)]);
      await inEveryState(world, async (when) => {
        assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -", "rotated  -", "2 /2 -"], when);
      });
    }
    assert.equal((await listed(world)).length, 2);
    assert.equal(world.dropped, 0);
  });

  test(`${name}: a first record that arrives after a rotation is stored at once`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    associated(await world.rotate(handle, 0));
    await setAside(world, handle, record("first"));
    await settle(world);
    assert.deepEqual(await readSummary(world, handle), ["created  -", "rotated  -", "1 /first -"]);
    assert.equal(world.dropped, 0);
  });

  test(`${name}: an association that is refused stores the record too`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    // Sessions of one millisecond are in no order.
    world.now++;
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    assert.equal((await world.associate(handle, { visitId: "v" })).outcome, "conflict");
    await settle(world);
    assert.deepEqual(await listed(world), [handle, holder.handle]);
    assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -"]);
    const rotated = world.newHandle();
    await setAside(world, rotated, record("first"));
    assert.equal((await world.rotate(rotated, 0, { given: { visitId: "v" } })).outcome, "conflict");
    await settle(world);
    assert.deepEqual(await readSummary(world, rotated), ["created  -", "1 /first -"]);
  });

  test(`${name}: a session that is ended keeps the record`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    assert.equal(await world.end(handle), true);
    await settle(world);
    await inEveryState(world, async (when) => {
      assert.deepEqual(await readSummary(world, handle), ["created  -", "1 /first -", "ended  -"], when);
    });
  });

  test(`${name}: a session that expires within the minute keeps nothing`, async () => {
    const short = { ...lifetimes, anonymous: { idle: 10 * SECOND, total: MINUTE } };
    await using world = await openWorld(make, short);
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    world.now += 10 * SECOND;
    assert.equal((await world.associate(handle, { customerId: "anna" })).outcome, "absent");
    assert.equal(await world.end(handle), false);
    world.now += MINUTE;
    await world.store.purgeExpired(world.now);
    await dropped(world, 1);
    assert.deepEqual(await listed(world), []);
  });

  test(`${name}: a first record that arrives after others is stored at once`, async () => {
    await using world = await openWorld(make);
    const [recorded, second] = [world.newHandle(), world.newHandle()];
    const { handle: identified } = await world.create({ customerId: "anna" });
    const { handle: labelled } = await world.create({ label: "Tablet" });
    enqueue(world, recorded, [record(2)]);
    await setAside(world, labelled, record("first"));
    await setAside(world, recorded, record("first"));
    await setAside(world, identified, record("first"));
    await setAside(world, second, record("first"));
    await setAside(world, second, record(2));
    await settle(world);
    assert.equal((await listed(world)).length, 4);
    assert.deepEqual(await readSummary(world, labelled), ["created  -", "1 /first -"]);
    assert.deepEqual(await readSummary(world, recorded), ["created  -", "1 /2 -", "2 /first -"]);
    assert.deepEqual(await readSummary(world, identified), ["created customerId anna", "1 /first anna"]);
    assert.deepEqual(await readSummary(world, second), ["created  -", "1 /first -", "2 /2 -"]);
    assert.equal(world.dropped, 0);
  });

  test(`${name}: a repetition with the same idempotency key changes nothing, before and after the record is stored`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const idempotent = { key: "key", fingerprint: "fingerprint" };
    const send = (more = idempotent) => setAside(world, handle, record("first"), more);
    assert.equal(await send(), "accepted");
    assert.equal(await send(), "repeated");
    assert.equal(await send({ ...idempotent, fingerprint: "other" }), "key-reused");
    await use(world, handle);
    enqueue(world, handle, [record(2)]);
    assert.equal(await send(), "repeated");
    associated(await world.associate(handle, { customerId: "anna" }));
    assert.equal(await send(), "repeated");
    assert.equal(await send({ ...idempotent, fingerprint: "other" }), "key-reused");
    const expected = ["created  -", "1 /first -", "2 /2 -", "associated customerId anna"];
    assert.deepEqual(await readSummary(world, handle), expected);
  });

  test(`${name}: uses at the same time store the record once`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await setAside(world, handle, record("first"));
    const uses = Array.from({ length: 20 }, () => use(world, handle));
    await Promise.all([...uses, world.associate(handle, { customerId: "anna" }), readSummary(world, handle)]);
    const expected = ["created  -", "1 /first -", "associated customerId anna"];
    assert.deepEqual(await readSummary(world, handle), expected);
  });

  test(`${name}: records are unchanged by being set aside, whatever they contain`, async () => {
    await using world = await openWorld(make);
    const odd = [
      record("text", { attributes: { line: "a\nb\r\n\u0000", "\u2028": "\u2029é😀" }, service: "shop 😀" }),
      record("x".repeat(8000), { status: null, durationMs: null }),
    ];
    for (const first of odd) {
      const handle = world.newHandle();
      await setAside(world, handle, first, { key: "k", fingerprint: "f" });
      await use(world, handle);
      assert.deepEqual((await readPage(world, handle))?.records, [first]);
    }
  });

  test(`${name}: the oldest records are dropped when too many are set aside`, async () => {
    await using world = await openWorld(make);
    const long = record("long", { attributes: { text: "x".repeat(8000) } });
    // 32 Mi characters hold fewer than 4,200 of these records.
    const made = Array.from({ length: 4200 }, () => world.newHandle());
    for (let from = 0; from < made.length; from += 100) {
      await Promise.all(made.slice(from, from + 100).map((handle) => setAside(world, handle, long)));
    }
    await until("the oldest are dropped", () => world.dropped > 0, MINUTE);
    assert.ok(world.dropped < 300, String(world.dropped));
    for (const handle of [made[0], made.at(-1)]) await use(world, handle ?? "");
    assert.deepEqual(await readSummary(world, made[0] ?? ""), ["created  -"]);
    assert.deepEqual(await readSummary(world, made.at(-1) ?? ""), ["created  -", "1 /long -"]);
  });
}

/** Sets a record aside for a session that was created by an earlier request. */
async function setAside(
  world: World,
  handle: string,
  first: RequestRecord,
  idempotent?: SetAsideRequest["idempotent"],
): Promise<SetAsideResult> {
  const { store, now } = world;
  const session = await store.find(handle);
  return await store.setAside({ session, record: first, now, idempotent, isNewSession: false });
}

/** Uses a session as the service does when it is retrieved. */
async function use(world: World, handle: string): Promise<Session> {
  const session = await world.store.find(handle);
  world.store.storeSetAside(session, world.now);
  return session;
}

/** Waits until the engine has reported this number of records as dropped. */
async function dropped(world: World, count: number): Promise<void> {
  await until(`${count} records are dropped`, () => world.dropped >= count, MINUTE);
  assert.equal(world.dropped, count);
}

/** Waits until everything is stored that is queued, and until nothing that is set aside can be stored any more. */
async function settle(world: World): Promise<void> {
  await world.reopen();
  world.now += MAX_SET_ASIDE_AGE_MS;
}

/** Returns the handles of all sessions of which something is stored. */
async function listed(world: World): Promise<string[]> {
  await compact(world);
  const page = await world.store.listSessions({ filter: anySession, after: null, limit: 1000, now: world.now });
  return page.sessions.map(({ handle }) => handle);
}
