import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../../src/session/filter.ts";
import { entryAfter } from "../../../src/store/audit-chain.ts";
import type { ApiKey } from "../../../src/store/ports/credentials.ts";
import type { StoreEngine } from "../../../src/store/ports/engine.ts";
import type { ExportPage, TransferItem } from "../../../src/store/ports/transfer.ts";
import { DAY, HOUR, MINUTE } from "../../support/sessions.ts";
import { act } from "./audit.ts";
import { apiKey } from "./credentials.ts";
import { putData, readData } from "./data.ts";
import { enqueue, readSummary, record, records } from "./timeline.ts";
import { webhookTransferContract } from "./webhooks.ts";
import { associated, type DataFactory, MAX_RECORDS, openWorld, RETENTION, type World } from "./world.ts";

/** Tests the port `transfer`: exports everything from one store and imports it into another (default: same engine). */
export function transferContract(name: string, make: DataFactory, other = make): void {
  webhookTransferContract(name, make, other);
  test(`${name}: a store that imports everything returns the same as the first`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const sessions = await fill(source);
    target.now = source.now;
    await transferAll(source, target);
    await assertSame(source, target, sessions);
    await target.reopen();
    await assertSame(source, target, sessions);
    assert.deepEqual([...source.failures, ...target.failures], []);
  });

  test(`${name}: after an import, visits are taken, ended sessions stay ended, requests are replayed and records are numbered on`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const [held] = await fill(source);
    target.now = source.now;
    await transferAll(source, target);
    target.now++;
    const rival = target.newSession({ visitId: "held" });
    const conflict = { outcome: "conflict", field: "visitId" };
    assert.deepEqual(await target.store.create(rival, target.now), conflict);
    const free = target.newSession({ visitId: "ended" });
    assert.deepEqual(await target.store.create(free, target.now), { outcome: "created" });
    assert.deepEqual(await target.store.findReplay({ key: "k", fingerprint: "r" }, target.now), {
      outcome: "repeated",
      response: "first",
    });
    assert.ok(held !== undefined && (await target.end(held)));
    assert.deepEqual(await target.store.create(rival, target.now), { outcome: "created" });
  });

  test(`${name}: importing items again changes nothing, and importing older ones undoes nothing`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const sessions = await fill(source);
    const early = await exportAll(source.store, source.now);
    await importAll(target.store, early, source.now);
    source.now += 3 * MINUTE;
    sessions.push(...(await changeSome(source, sessions)));
    target.now = source.now;
    const late = await exportAll(source.store, source.now);
    await importAll(target.store, late, source.now);
    await assertSame(source, target, sessions);
    await importAll(target.store, early, source.now);
    await importAll(target.store, late, source.now);
    await assertSame(source, target, sessions);
  });

  test(`${name}: a session with too many records for a page is exported in several pages`, async () => {
    await using source = await openWorld(make);
    await using target = await openWorld(other);
    const ids = [source.newHandle(), source.newHandle(), source.newHandle()];
    for (const handle of ids) {
      const text = "x".repeat(7900);
      enqueue(
        source,
        handle,
        records(1, MAX_RECORDS).map((one) => ({ ...one, attributes: { text } })),
      );
    }
    const pages: ExportPage[] = [];
    for await (const page of pagesOf(source.store, source.now)) pages.push(page);
    assert.ok(pages.every((page) => JSON.stringify(page).length < 1.5 * 1024 * 1024));
    assert.ok(pages.filter(({ items }) => items.some(isRecords)).length > 1);
    await transferAll(source, target);
    await assertSame(source, target, ids);
  });

  test(`${name}: sessions whose retention is over are not exported`, async () => {
    await using source = await openWorld(make);
    await source.create({ customerId: "a" });
    enqueue(source, source.newHandle(), records(1, 3));
    source.now += RETENTION + 3 * DAY;
    const items = await exportAll(source.store, source.now);
    assert.deepEqual(
      items.filter(({ kind }) => kind === "session" || kind === "records"),
      [],
    );
  });

  test(`${name}: the import cursor is stored together with the items`, async () => {
    await using world = await openWorld(make);
    assert.equal(await world.store.importCursor(), null);
    await world.store.importItems({ items: [], cursor: "half way", now: world.now });
    await world.reopen();
    assert.equal(await world.store.importCursor(), "half way");
    await world.store.importItems({ items: [], cursor: null, now: world.now });
    assert.equal(await world.store.importCursor(), null);
  });
}

function isRecords({ kind }: TransferItem): boolean {
  return kind === "records";
}

const oddNames = '{"__proto__":"p","b":"1","a":"2"}';

/** Creates sessions of all kinds. Returns their handles; the first one holds the visit "held". */
async function fill(world: World): Promise<string[]> {
  const { store } = world;
  const held = await world.create({ visitId: "held", customerId: "é😀\u2028" });
  associated(await world.rotate(held.handle, 0));
  const ended = await world.create({ visitId: "ended", agentId: "a" });
  const recorded = world.newHandle();
  enqueue(world, recorded, records(1, MAX_RECORDS + 30));
  const grown = world.newHandle();
  enqueue(world, grown, [record(1), record(2)]);
  await world.associate(grown, { customerId: "c" });
  enqueue(world, grown, [record(3, { attributes: JSON.parse(oddNames) as Record<string, string> })]);
  world.now += 3 * MINUTE;
  await world.associate(grown, { agentId: "a", globalVisitId: "g" });
  const endedImplicit = world.newHandle();
  assert.ok(await world.end(ended.handle));
  assert.ok(await world.end(endedImplicit));
  const idempotent = { key: "k", fingerprint: "r", response: "first" };
  await store.storeRecords({
    handle: held.handle,
    records: [record("once")],
    now: world.now,
    idempotent,
  });
  await store.addApiKey(agentKey("k_1", world.now));
  await store.addApiKey(agentKey("k_2", world.now));
  await store.addSecret({ bytes: new Uint8Array(32).fill(9), createdAt: world.now });
  for (let n = 0; n < 3; n++) {
    await store.appendAuditEntry(entryAfter(await store.lastAuditEntry(), act(n)));
  }
  const labelled = await world.create({ profile: "kiosk", label: "Lobby" });
  associated(await world.associate(grown, { label: "Phone" }));
  const noted = world.newHandle();
  enqueue(world, noted, [record(1)]);
  associated(await world.associate(noted, { label: "Hall" }));
  await putData(world, grown, { cart: [1, 2], name: "é\u2028" });
  const withData = world.newHandle();
  await putData(world, withData, { step: 3 });
  const many = Array.from({ length: 600 }, (_, i) => world.create({ customerId: `many ${i}` }));
  return [
    held.handle,
    ended.handle,
    recorded,
    grown,
    endedImplicit,
    labelled.handle,
    noted,
    withData,
    ...(await Promise.all(many)).map(({ handle }) => handle),
  ];
}

function agentKey(id: string, now: number): ApiKey {
  const times = { createdAt: now, expiresAt: now + HOUR, lastUsedAt: now };
  return apiKey(id, { name: `Läden ${id}`, role: "agent", agentId: "a", ...times });
}

/** Changes the sessions that `fill` created. Returns the handles of new ones. */
async function changeSome(world: World, filled: readonly string[]): Promise<string[]> {
  const [held, , recorded, grown] = filled as [string, string, string, string];
  assert.ok(await world.end(held));
  enqueue(world, recorded, records(MAX_RECORDS + 31, MAX_RECORDS + 200));
  associated(await world.rotate(grown, 0, { given: { visitId: "grown" } }));
  associated(await world.associate(filled[5] as string, { profile: "remember", label: "Hall" }));
  await putData(world, grown, { cart: [3] });
  await putData(world, filled[7] as string, {});
  enqueue(world, grown, [record(4)]);
  await world.store.revokeApiKey("k_1", world.now);
  assert.ok(await world.store.replaceApiKey("k_2", agentKey("k_3", world.now), world.now + MINUTE));
  await world.store.appendAuditEntry(entryAfter(await world.store.lastAuditEntry(), act(4)));
  await world.store.addSecret({ bytes: new Uint8Array(32).fill(11), createdAt: world.now });
  return [(await world.create({ visitId: "held" })).handle];
}

async function* pagesOf(store: StoreEngine, now: number): AsyncGenerator<ExportPage> {
  for (let after: string | null | undefined; after !== null; ) {
    const page = await store.exportPage(after ?? null, now);
    // A page may come from another process as JSON.
    yield JSON.parse(JSON.stringify(page)) as ExportPage;
    after = page.next;
  }
}

async function exportAll(store: StoreEngine, now: number): Promise<TransferItem[]> {
  const items: TransferItem[] = [];
  for await (const page of pagesOf(store, now)) items.push(...page.items);
  return items;
}

async function importAll(store: StoreEngine, items: readonly TransferItem[], now: number): Promise<void> {
  for (let i = 0; i < items.length; i += 100) {
    const part = items.slice(i, i + 100);
    assert.deepEqual(await store.importItems({ items: part, cursor: "moving", now }), []);
  }
}

async function transferAll(source: World, target: World): Promise<void> {
  await importAll(target.store, await exportAll(source.store, source.now), source.now);
  await target.store.importItems({ items: [], cursor: null, now: source.now });
}

/** Asserts that both stores return the same sessions and the same other data. */
async function assertSame(source: World, target: World, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const [expected, found] = [await source.store.find(id), await target.store.find(id)];
    assert.deepEqual(found, expected);
    assert.deepEqual(await readData(target, id), await readData(source, id));
  }
  for (const id of ids.slice(0, 8)) assert.deepEqual(await readSummary(target, id), await readSummary(source, id));
  assert.deepEqual(await target.store.listApiKeys(), await source.store.listApiKeys());
  assert.deepEqual(await target.store.listSecrets(), await source.store.listSecrets());
  assert.deepEqual(await target.store.readAuditEntries(0, 100), await source.store.readAuditEntries(0, 100));
  for (const given of [{ customerId: "c" }, { agentId: "a" }, { visitId: "ended" }]) {
    const filter = { ...anySession, ...given };
    const request = { filter, after: null, limit: 1000, now: source.now };
    assert.deepEqual(await target.store.listSessions(request), await source.store.listSessions(request));
  }
  assert.ok((await target.store.clockHighWaterMark()) >= (await source.store.clockHighWaterMark()));
  const [expected, found] = [await exportAll(source.store, source.now), await exportAll(target.store, source.now)];
  assert.deepEqual(canonical(found), canonical(expected));
}

/** Returns the items in a fixed order and form, because engines may order them and divide records differently. */
function canonical(items: readonly TransferItem[]): string[] {
  const lines = items.flatMap((item) => {
    if (item.kind === "floor") return [];
    if (item.kind !== "records") return [JSON.stringify(item)];
    const { session, first } = item;
    return item.records.map((one, i) => JSON.stringify([session.handle, first + i, one]));
  });
  return lines.toSorted();
}
