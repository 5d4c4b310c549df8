import assert from "node:assert/strict";
import { test } from "node:test";
import { anyEvent, type EventFilter, type LoggedEvent, type SessionEvent } from "../../../src/session/event.ts";
import type { EventBounds, EventPage } from "../../../src/store/ports/events.ts";
import { until } from "../../support/eventually.ts";

import { DAY, ids, MINUTE, START } from "../../support/sessions.ts";
import { sized } from "../../support/tier.ts";
import { putData } from "./data.ts";
import { record } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, type World } from "./world.ts";

/** Registers the tests of the port `EventLog`. */
export function eventsContract(name: string, make: DataFactory): void {
  changesContract(name, make);
  expiryContract(name, make);
  readingContract(name, make);
}

function changesContract(name: string, make: DataFactory): void {
  test(`${name}: each change of a session is an event with the identity of that moment`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v" });
    world.now += MINUTE;
    await world.associate(handle, { customerId: "c" });
    world.now += MINUTE;
    await world.rotate(handle, 0, { given: { agentId: "a", label: "Firefox" } });
    world.now += MINUTE;
    await world.store.end({ handle, scope: "everyone", now: world.now, reason: "operator" });

    const visit = ids({ visitId: "v" });
    const common = { handle, createdAt: START, label: "Firefox" };
    const times = (minutes: number, idle = 60) => ({
      lastActiveAt: START + minutes * MINUTE,
      expiresAt: START + (minutes + idle) * MINUTE,
    });
    const events = await allEvents(world);
    assert.deepEqual(
      events.map(({ id: _id, ...event }) => event),
      [
        { type: "session.created", timestamp: START, session: { ...common, ...visit, ...times(0, 30) } },
        {
          type: "session.associated",
          timestamp: START + MINUTE,
          added: ["customerId"],
          session: { ...common, ...visit, customerId: "c", ...times(1) },
        },
        ...(["session.associated", "session.rotated"] as const).map((type) => ({
          type,
          timestamp: START + 2 * MINUTE,
          ...(type === "session.associated" && { added: ["agentId"] }),
          session: { ...common, ...visit, customerId: "c", agentId: "a", ...times(2) },
        })),
        {
          type: "session.ended",
          timestamp: START + 3 * MINUTE,
          reason: "operator",
          session: {
            ...{ ...common, ...visit, customerId: "c", agentId: "a" },
            ...{ lastActiveAt: START + 2 * MINUTE, expiresAt: START + 3 * MINUTE },
          },
        },
      ],
    );
    const order = events.map(({ id }) => id);
    assert.deepEqual(order, [...new Set(order)].toSorted(), "ids sort in the order of the log");
  });

  test(`${name}: an anonymous session is published when it first gets an id or a record`, async () => {
    await using world = await openWorld(make);
    const named = world.newHandle();
    const recorded = world.newHandle();
    const labelled = await world.create({ label: "unheard of" });
    await world.associate(named, { customerId: "c" });
    for (let i = 0; i < 2; i++) {
      await world.store.storeRecords({ handle: recorded, records: [record(1)], now: world.now });
      await world.store.storeRecords({ handle: named, records: [record(1)], now: world.now });
    }
    await world.associate(recorded, { visitId: "v" });
    await world.store.storeRecords({ handle: labelled.handle, records: [record(1)], now: world.now });

    const expected = [
      [named, `created ${named} c`, `associated ${named} c`],
      [recorded, `created ${recorded}`, `associated ${recorded}`],
      [labelled.handle, `created ${labelled.handle}`],
    ];
    for (const [handle, ...events] of expected) {
      assert.deepEqual(await changes(world, ({ session }) => session.handle === handle), events);
    }
  });

  test(`${name}: an anonymous session is published when it first gets data, and once`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await putData(world, handle, { step: 1 });
    await putData(world, handle, { step: 2 });
    await world.store.storeRecords({ handle, records: [record(1)], now: world.now });
    await world.associate(handle, { customerId: "c" });
    await putData(world, handle, {});
    const published = (await world.create({ visitId: "v" })).handle;
    await putData(world, published, { step: 1 });
    assert.deepEqual(await changes(world, ({ session }) => session.handle === handle), [
      `created ${handle}`,
      `associated ${handle} c`,
    ]);
    assert.deepEqual(await changes(world, ({ session }) => session.handle === published), [`created ${published}`]);
  });

  test(`${name}: the end of a session that had only data is published, also if it was cleared`, async () => {
    await using world = await openWorld(make);
    const ended = world.newHandle();
    const expired = world.newHandle();
    for (const handle of [ended, expired]) {
      await putData(world, handle, { step: 1 });
      await putData(world, handle, {});
    }
    await world.end(ended);
    world.now += 2 * DAY;
    await purgeAll(world);
    const types = async (handle: string) =>
      (await allEvents(world))
        .filter((event) => "session" in event && event.session.handle === handle)
        .map(({ type }) => type);
    assert.deepEqual(await types(ended), ["session.created", "session.ended"]);
    assert.deepEqual(await types(expired), ["session.created", "session.expired"]);
  });

  test(`${name}: a request that changes nothing is no event`, async () => {
    await using world = await openWorld(make);
    const idempotent = { key: "k", fingerprint: "f", response: "{}" };
    const { store, now } = world;
    const session = world.newSession({ customerId: "c", visitId: "v" });
    const { handle } = session;
    const rotation = { key: "r", fingerprint: "f", response: "next" };
    for (let i = 0; i < 2; i++) {
      await store.create(session, now, idempotent);
      await world.associate(handle, { customerId: "c" });
      await world.associate(handle, { customerId: "other" });
      await world.rotate(handle, 0, { idempotent: rotation });
      await store.create(world.newSession({ visitId: "v" }), now);
      await world.end(world.newHandle(), { customerId: "other" });
      await world.associate(handle, { label: "new" });
    }
    const anonymous = await changes(world, (event) => event.session.handle !== handle);
    assert.deepEqual(anonymous.length, 2, "an anonymous session can be ended by everybody");
    assert.deepEqual(await changes(world, (event) => event.session.handle === handle), [
      `created ${handle} c`,
      `rotated ${handle} c`,
    ]);
    assert.equal(await world.end(handle), true);
    assert.equal(await world.end(handle), false);
    assert.equal((await changes(world, ({ type }) => type === "session.ended")).length, 3);
  });

  test(`${name}: the events of an erased customer are gone, and the erasure is an event`, async () => {
    await using world = await openWorld(make);
    const kept = await world.create({ customerId: "kept" });
    const handles = [world.newHandle(), (await world.create({ customerId: "erased" })).handle];
    const [first = ""] = handles;
    await world.store.storeRecords({ handle: first, records: [record(1)], now: world.now });
    await world.rotate(first, 0);
    await world.rotate(first, 1, { given: { customerId: "erased" } });
    await world.store.eraseSessions(handles, world.now);
    await world.store.eraseCustomerApiKeys("erased", "hash", world.now);

    const expected = [`created ${kept.handle} kept`, "erased hash"];
    assert.deepEqual(await changes(world), expected);
    world.now += 40 * MINUTE;
    await purgeAll(world);
    await world.reopen();
    assert.deepEqual((await changes(world)).slice(0, 2), expected, "also after its tombstones are purged");
    const filter = { types: null, customer: { id: "erased", hash: "hash" } };
    assert.deepEqual(
      (await allEvents(world, filter)).map(({ type }) => type),
      ["customer.erased"],
    );
  });
}

function expiryContract(name: string, make: DataFactory): void {
  test(`${name}: sessions expire in the log within a minute, although nobody uses them`, async () => {
    await using world = await openWorld(make);
    const idle = await world.create({ customerId: "idle" });
    const used = await world.create({ customerId: "used" });
    const recorded = world.newHandle();
    await world.store.storeRecords({ handle: recorded, records: [record(1)], now: world.now });
    await world.create({ label: "unheard of" });
    const lifetime = { ...world.newSession({ customerId: "lifetime" }), expiresAt: START + 2 * DAY };
    await world.store.create(lifetime, world.now);
    world.now += 20 * MINUTE;
    world.store.renew(used, world.now);
    world.now = START + 31 * MINUTE;
    await purgeAll(world);
    assert.deepEqual(await expiries(world), [`idle ${recorded}`]);
    world.now = START + 61 * MINUTE;
    await purgeAll(world);
    assert.deepEqual(await expiries(world), [`idle ${recorded}`, `idle ${idle.handle}`]);

    world.now = START + 81 * MINUTE;
    await world.reopen();
    await purgeAll(world);
    world.now = START + 2 * DAY + MINUTE;
    await purgeAll(world);
    await purgeAll(world);
    const later = (await expiries(world)).slice(2);
    assert.deepEqual(later, [`idle ${used.handle}`, `lifetime ${lifetime.handle}`], "each once");
    const times = (await allEvents(world)).filter(({ type }) => type === "session.expired");
    assert.deepEqual(
      times.slice(2).map(({ timestamp }) => timestamp - START),
      [80 * MINUTE, 2 * DAY],
    );
  });

  test(`${name}: many sessions that expire at once are found within a minute, in many short slices`, async () => {
    await using world = await openWorld(make);
    const count = sized(1000, 2500, 100_000);
    for (let left = count; left > 0; left -= 500) {
      await Promise.all(Array.from({ length: Math.min(500, left) }, () => world.create({ customerId: "c" })));
    }
    const expiresAt = START + 60 * MINUTE;
    let found = 0;
    for (world.now = expiresAt - MINUTE; found < count; world.now += 20) {
      const slice = await world.store.purgeExpired(world.now);
      assert.ok(slice.expired <= 64 + count / 1000, `${slice.expired} in a slice`);
      assert.ok(world.now <= expiresAt + MINUTE, `${found} after a minute`);
      if (!slice.isExpiring && found === 0) world.now += 1000;
      found += slice.expired;
    }
    assert.equal((await expiries(world)).length, count);
  });

  test(`${name}: a session whose profile shortens its life expires in the log in time`, async () => {
    const short = { idle: MINUTE, total: MINUTE };
    const long = { idle: 30 * MINUTE, total: DAY };
    await using world = await openWorld(make, {
      ...{ anonymous: long, recognized: long },
      profiles: new Map([["kiosk", short]]),
    });
    const { handle } = await world.create({ customerId: "c" });
    await world.associate(handle, { profile: "kiosk" });
    world.now += MINUTE + 20_000;
    await purgeAll(world);
    assert.deepEqual(await expiries(world), [`lifetime ${handle}`]);
  });
}

function readingContract(name: string, make: DataFactory): void {
  test(`${name}: a reader continues after any event, also after a restart`, async () => {
    await using world = await openWorld(make);
    for (let i = 0; i < 5; i++) {
      await world.create({ customerId: `c${i}` });
      // Events of different sessions may change places on their way into the log of a cluster.
      await bounds(world);
    }
    const all = await allEvents(world);
    await world.reopen();
    await world.create({ customerId: "c5" });
    const { start, end, events } = await bounds(world);
    assert.equal(events, 6);
    const read = async (after: string) => customersIn(await page(world, after));
    assert.deepEqual(await read(start), ["c0", "c1", "c2", "c3", "c4", "c5"]);
    assert.deepEqual(await read(all[2]?.id ?? ""), ["c3", "c4", "c5"]);
    assert.deepEqual(await read(end), []);
    let next = start;
    for (const expected of [
      ["c0", "c1"],
      ["c2", "c3"],
      ["c4", "c5"],
    ]) {
      const part = await page(world, next, { limit: 2 });
      assert.deepEqual(customersIn(part), expected);
      next = part.next;
    }
    assert.equal(next, end);
  });

  test(`${name}: events are filtered by type and customer`, async () => {
    await using world = await openWorld(make);
    const one = await world.create({ customerId: "one" });
    await world.create({ customerId: "two" });
    await world.end(one.handle);
    const filter = { types: new Set(["session.created"] as const), customer: { id: "one", hash: "-" } };
    const { start } = await bounds(world);
    const { events, next, hasMore } = await page(world, start, { filter });
    assert.deepEqual(
      events.map(({ type }) => type),
      ["session.created"],
    );
    assert.equal(hasMore, false);
    assert.equal(next, (await bounds(world)).end, "the reader continues after events of others");
  });

  test(`${name}: a place in the log that is gone is reported`, async () => {
    await using world = await openWorld(make);
    await world.create({ customerId: "old" });
    await world.create({ customerId: "older than the retention" });
    const { end } = await bounds(world);
    const [first] = await allEvents(world);
    world.now += 15 * DAY;
    await world.create({ customerId: "new" });
    await purgeAll(world);
    const { start, oldestAt, events } = await bounds(world);
    assert.deepEqual([oldestAt, events], [world.now, 1]);
    for (const gone of [
      first?.id ?? "",
      "",
      "no position",
      "zzzzzzzzz-zzzzzzzzzz",
      start.replace(/^\w+/, "zzzzzzzzz"),
    ]) {
      assert.deepEqual(await page(world, gone), { isGone: true, events: [], next: start, hasMore: true });
    }
    assert.deepEqual(customersIn(await page(world, end)), ["new"], "nothing after this place was purged");

    world.now += 15 * DAY;
    await purgeAll(world);
    const empty = await bounds(world);
    assert.deepEqual([empty.oldestAt, empty.newestAt, empty.events], [null, null, 0]);
    await world.reopen();
    await world.create({ customerId: "newest" });
    await bounds(world);
    assert.deepEqual(customersIn(await page(world, empty.end)), ["newest"], "no id is used twice");
  });

  test(`${name}: a listener hears of new events`, async () => {
    await using world = await openWorld(make);
    let calls = 0;
    const stop = world.store.onEvents(() => calls++);
    await world.create({ customerId: "c" });
    await until("the listener is called", () => calls > 0);
    stop();
    calls = 0;
    await world.create({ customerId: "c" });
    await world.create({ customerId: "c" });
    assert.equal(calls, 0);
  });
}

async function bounds({ store }: World): Promise<EventBounds> {
  const found = await store.eventBounds();
  assert.ok(found !== null);
  return found;
}

function page(
  { store }: World,
  after: string,
  { limit = 100, filter = anyEvent }: { limit?: number; filter?: EventFilter } = {},
): Promise<EventPage> {
  return store.readEvents({ after, limit, filter });
}

async function allEvents(world: World, filter = anyEvent): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (let after = (await bounds(world)).start; ; ) {
    const part = await page(world, after, { filter, limit: 1000 });
    events.push(...part.events);
    if (!part.hasMore) return events;
    after = part.next;
  }
}

function customersIn({ events }: EventPage): (string | null)[] {
  return events.map((event) => ("session" in event ? event.session.customerId : null));
}

/** Returns the events as texts: the type, the handle and the customer. */
async function changes(world: World, isWanted: (event: SessionEvent) => boolean = () => true): Promise<string[]> {
  return (await allEvents(world))
    .filter((event) => !("session" in event) || isWanted(event))
    .map((event) => {
      const type = event.type.slice(event.type.indexOf(".") + 1);
      if (!("session" in event)) return `${type} ${event.customerHash}`;
      return [type, event.session.handle, event.session.customerId].filter((part) => part !== null).join(" ");
    });
}

async function expiries(world: World): Promise<string[]> {
  return (await allEvents(world)).flatMap((event) =>
    event.type === "session.expired" ? [`${event.reason} ${event.session.handle}`] : [],
  );
}
