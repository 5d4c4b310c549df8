import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../../src/session/filter.ts";
import { entryAfter } from "../../../src/store/audit-chain.ts";
import type { Item, Portion } from "../../../src/store/moving.ts";
import type { Key, SessionStore } from "../../../src/store/store.ts";
import { DAY, HOUR, MINUTE } from "../../support/sessions.ts";
import { act } from "./audit.ts";
import { accept, record, records, told } from "./timeline.ts";
import { type DataFactory, MAX_RECORDS, openWorld, RETENTION, type World } from "./world.ts";

/** Everything that one store keeps, taken over by another: by default one of the same engine. */
export function movingContract(name: string, make: DataFactory, other = make): void {
  test(`${name}: another store that adopts everything tells the same`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const sessions = await fill(source);
    target.now = source.now;
    await moveAll(source, target);
    await assertSame(source, target, sessions);
    await target.reopen();
    await assertSame(source, target, sessions);
    assert.deepEqual([...source.failures, ...target.failures], []);
  });

  test(`${name}: what is adopted holds: visits, ends, keyed answers, sequences`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const [held] = await fill(source);
    target.now = source.now;
    await moveAll(source, target);
    target.now++;
    const rival = target.newSession({ visitId: "held" });
    const conflict = { outcome: "conflict", field: "visitId" };
    assert.deepEqual(await target.store.create(rival, target.now), conflict);
    const free = target.newSession({ visitId: "ended" });
    assert.deepEqual(await target.store.create(free, target.now), { outcome: "created" });
    assert.deepEqual(await target.store.repetition({ key: "k", request: "r" }, target.now), {
      outcome: "repeated",
      answer: "first",
    });
    assert.ok(held !== undefined && (await target.store.end(held, target.now)));
    assert.deepEqual(await target.store.create(rival, target.now), { outcome: "created" });
  });

  test(`${name}: items that come again change nothing, and late ones undo nothing`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const sessions = await fill(source);
    const early = await everything(source.store, source.now);
    await adoptAll(target.store, early, source.now);
    source.now += 3 * MINUTE;
    sessions.push(...(await change(source, sessions)));
    target.now = source.now;
    const late = await everything(source.store, source.now);
    await adoptAll(target.store, late, source.now);
    await assertSame(source, target, sessions);
    await adoptAll(target.store, early, source.now);
    await adoptAll(target.store, late, source.now);
    await assertSame(source, target, sessions);
  });

  test(`${name}: a session with more records than a portion holds comes in several`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const ids = [source.newId(), source.newId(), source.newId()];
    for (const id of ids) {
      const text = "x".repeat(7900);
      accept(
        source,
        id,
        records(1, MAX_RECORDS).map((one) => ({ ...one, attributes: { text } })),
      );
    }
    const portions: Portion[] = [];
    for await (const portion of portionsOf(source.store, source.now)) portions.push(portion);
    assert.ok(portions.every((portion) => JSON.stringify(portion).length < 1.5 * 1024 * 1024));
    assert.ok(portions.filter(({ items }) => items.some(isRecords)).length > 1);
    await moveAll(source, target);
    await assertSame(source, target, ids);
  });

  test(`${name}: what is over for longer than the retention does not move`, async () => {
    await using source = await openWorld(make);
    await source.create({ customerId: "a" });
    accept(source, source.newId(), records(1, 3));
    source.now += RETENTION + 3 * DAY;
    const items = await everything(source.store, source.now);
    assert.deepEqual(
      items.filter(({ kind }) => kind === "session" || kind === "records"),
      [],
    );
  });

  test(`${name}: how far a move has come is kept with the items`, async () => {
    await using world = await openWorld(make);
    assert.equal(await world.store.move(), null);
    await world.store.adopt({ items: [], note: "half way", now: world.now });
    await world.reopen();
    assert.equal(await world.store.move(), "half way");
    await world.store.adopt({ items: [], note: null, now: world.now });
    assert.equal(await world.store.move(), null);
  });
}

function isRecords({ kind }: Item): boolean {
  return kind === "records";
}

const oddNames = '{"__proto__":"p","b":"1","a":"2"}';

/** Sessions of every sort; gives their ids, first the one that holds the visit "held". */
async function fill(world: World): Promise<string[]> {
  const { store } = world;
  const held = await world.create({ visitId: "held", customerId: "é😀\u2028" });
  const ended = await world.create({ visitId: "ended", agentId: "a" });
  const recorded = world.newId();
  accept(world, recorded, records(1, MAX_RECORDS + 30));
  const grown = world.newId();
  accept(world, grown, [record(1), record(2)]);
  await world.associate(grown, { customerId: "c" });
  accept(world, grown, [record(3, { attributes: JSON.parse(oddNames) as Record<string, string> })]);
  world.now += 3 * MINUTE;
  await world.associate(grown, { agentId: "a", globalVisitId: "g" });
  const over = world.newId();
  assert.ok(await store.end(ended.id, world.now));
  assert.ok(await store.end(over, world.now));
  const once = { key: "k", request: "r", answer: "first" };
  await store.record({ id: held.id, records: [record("once")], now: world.now, once });
  await store.addKey(key("k_1", world.now));
  await store.addKey(key("k_2", world.now));
  await store.addSecret({ bytes: new Uint8Array(32).fill(9), createdAt: world.now });
  for (let n = 0; n < 3; n++) {
    await store.appendAudit(entryAfter(await store.lastAudit(), act(n)));
  }
  const many = Array.from({ length: 600 }, (_, i) => world.create({ customerId: `many ${i}` }));
  return [
    held.id,
    ended.id,
    recorded,
    grown,
    over,
    ...(await Promise.all(many)).map(({ id }) => id),
  ];
}

function key(id: string, now: number): Key {
  return {
    id,
    hash: id.replace("_", "").padEnd(64, "a"),
    role: "agent",
    customerId: null,
    agentId: "a",
    createdAt: now,
    expiresAt: now + HOUR,
    revokedAt: null,
    lastUsedAt: now,
    successorId: null,
  };
}

/** Goes on with what `fill` made; gives the ids of what is new. */
async function change(world: World, filled: readonly string[]): Promise<string[]> {
  const [held, , recorded, grown] = filled as [string, string, string, string];
  assert.ok(await world.store.end(held, world.now));
  accept(world, recorded, records(MAX_RECORDS + 31, MAX_RECORDS + 200));
  await world.associate(grown, { visitId: "grown" });
  accept(world, grown, [record(4)]);
  await world.store.revokeKey("k_1", world.now);
  assert.ok(await world.store.replaceKey("k_2", key("k_3", world.now), world.now + MINUTE));
  await world.store.appendAudit(entryAfter(await world.store.lastAudit(), act(4)));
  await world.store.addSecret({ bytes: new Uint8Array(32).fill(11), createdAt: world.now });
  return [(await world.create({ visitId: "held" })).id];
}

async function* portionsOf(store: SessionStore, now: number): AsyncGenerator<Portion> {
  for (let after: string | null | undefined; after !== null; ) {
    const portion = await store.portion(after ?? null, now);
    // They may come from another process.
    yield JSON.parse(JSON.stringify(portion)) as Portion;
    after = portion.next;
  }
}

async function everything(store: SessionStore, now: number): Promise<Item[]> {
  const items: Item[] = [];
  for await (const portion of portionsOf(store, now)) items.push(...portion.items);
  return items;
}

async function adoptAll(store: SessionStore, items: readonly Item[], now: number): Promise<void> {
  for (let i = 0; i < items.length; i += 100) {
    const part = items.slice(i, i + 100);
    assert.deepEqual(await store.adopt({ items: part, note: "moving", now }), []);
  }
}

async function moveAll(source: World, target: World): Promise<void> {
  await adoptAll(target.store, await everything(source.store, source.now), source.now);
  await target.store.adopt({ items: [], note: null, now: source.now });
}

/** Both stores tell the same of these sessions, and of everything besides. */
async function assertSame(source: World, target: World, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const [expected, found] = [await source.store.find(id), await target.store.find(id)];
    assert.deepEqual(found, expected);
  }
  for (const id of ids.slice(0, 5))
    assert.deepEqual(await told(target, id), await told(source, id));
  assert.deepEqual(await target.store.keys(), await source.store.keys());
  assert.deepEqual(await target.store.secrets(), await source.store.secrets());
  assert.deepEqual(await target.store.audit(0, 100), await source.store.audit(0, 100));
  for (const given of [{ customerId: "c" }, { agentId: "a" }, { visitId: "ended" }]) {
    const filter = { ...anySession, ...given };
    const request = { filter, after: null, limit: 1000, now: source.now };
    assert.deepEqual(await target.store.list(request), await source.store.list(request));
  }
  assert.ok((await target.store.floor()) >= (await source.store.floor()));
  const [expected, found] = [
    await everything(source.store, source.now),
    await everything(target.store, source.now),
  ];
  assert.deepEqual(canonical(found), canonical(expected));
}

/** Engines may tell items in any order, and divide records as they like. */
function canonical(items: readonly Item[]): string[] {
  const lines = items.flatMap((item) => {
    if (item.kind === "floor") return [];
    if (item.kind !== "records") return [JSON.stringify(item)];
    const { session, first } = item;
    return item.records.map((one, i) => JSON.stringify([session.id, first + i, one]));
  });
  return lines.toSorted();
}
