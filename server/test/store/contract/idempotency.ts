import assert from "node:assert/strict";
import { test } from "node:test";
import type { Session } from "../../../src/session/session.ts";
import { type IdempotentRequest, STORED_RESPONSE_LIFE_MS } from "../../../src/store/ports/idempotency.ts";
import { compact, pathsOf, readPage, record, records } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, type World } from "./world.ts";

const idempotent = (key: string, request = "r", answer = "first"): IdempotentRequest => ({
  key,
  fingerprint: request,
  response: answer,
});
const recorded = { outcome: "recorded" } as const;
const repeated = { outcome: "repeated", response: "first" } as const;
const reused = { outcome: "key-reused" } as const;

/** Stores one record in a session, under an idempotency key. */
function recordOnce(world: World, handle: string, path: string | number, key: IdempotentRequest) {
  return world.store.storeRecords({ handle, records: [record(path)], now: world.now, idempotent: key });
}

function createOnce(world: World, session: Session, key: IdempotentRequest) {
  return world.store.create(session, world.now, key);
}

/** Tests the port `idempotency`: a request is carried out once, however often it is sent. */
export function idempotencyContract(name: string, make: DataFactory): void {
  test(`${name}: repeating a recording returns the first response and records nothing`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    assert.deepEqual(await recordOnce(world, handle, "a", idempotent("k")), recorded);
    const second = idempotent("k", "r", "second");
    for (const when of ["at once", "after a restart"]) {
      assert.deepEqual(await recordOnce(world, handle, "a", second), repeated, when);
      assert.deepEqual(await recordOnce(world, handle, "b", idempotent("k", "other")), reused, when);
      await world.reopen();
    }
    await compact(world);
    assert.deepEqual(await recordOnce(world, handle, "a", second), repeated);
    assert.deepEqual(await recordOnce(world, handle, "c", idempotent("another")), recorded);
    assert.deepEqual(await pathsOf(world, handle), ["/a", "/c"]);
  });

  test(`${name}: repeating a create returns the first response and stores nothing`, async () => {
    await using world = await openWorld(make);
    const first = world.newSession({ visitId: "v" });
    const second = world.newSession({ visitId: "v" });
    assert.deepEqual(await createOnce(world, first, idempotent("k")), { outcome: "created" });
    for (const when of ["at once", "after a restart"]) {
      assert.deepEqual(await createOnce(world, second, idempotent("k", "r", "second")), repeated, when);
      assert.deepEqual(await createOnce(world, second, idempotent("k", "other")), reused, when);
      await world.reopen();
      assert.deepEqual(await world.store.find(second.handle), world.implicit(second.handle), when);
      assert.deepEqual(await world.store.find(first.handle), first, when);
    }
  });

  test(`${name}: a create without ids stores only the response`, async () => {
    await using world = await openWorld(make);
    const session = world.newSession({});
    assert.deepEqual(await createOnce(world, session, idempotent("k")), { outcome: "created" });
    await world.reopen();
    assert.deepEqual(await createOnce(world, world.newSession({}), idempotent("k")), repeated);
    assert.deepEqual(await world.store.find(session.handle), world.implicit(session.handle));
    world.now = session.expiresAt;
    assert.equal(await readPage(world, session.handle), undefined);
  });

  test(`${name}: a refused create stores no response`, async () => {
    await using world = await openWorld(make);
    const holder = await world.create({ visitId: "v" });
    const session = world.newSession({ visitId: "v" });
    const conflict = { outcome: "conflict", field: "visitId" } as const;
    assert.deepEqual(await createOnce(world, session, idempotent("k")), conflict);
    assert.equal(await world.store.findReplay({ key: "k", fingerprint: "r" }, world.now), undefined);
    await world.end(holder.handle);
    assert.deepEqual(await createOnce(world, session, idempotent("k")), { outcome: "created" });
  });

  test(`${name}: many requests at once under one key are carried out once`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const some = Array.from({ length: 100 }, (_, i) => i);
    const recordings = await Promise.all(some.map(() => recordOnce(world, handle, "x", idempotent("k"))));
    assert.equal(recordings.filter(({ outcome }) => outcome === "recorded").length, 1);
    assert.equal(recordings.filter(({ outcome }) => outcome === "repeated").length, 99);
    const creations = await Promise.all(
      some.map((i) => createOnce(world, world.newSession({ globalVisitId: `${i}` }), idempotent("c"))),
    );
    assert.equal(creations.filter(({ outcome }) => outcome === "created").length, 1);
    assert.equal((await readPage(world, handle))?.total, 1);
  });

  test(`${name}: the stored response of a key can be looked up`, async () => {
    await using world = await openWorld(make);
    const ask = (key: string, request: string) => world.store.findReplay({ key, fingerprint: request }, world.now);
    assert.equal(await ask("k", "r"), undefined);
    await recordOnce(world, world.newHandle(), "a", idempotent("k"));
    for (const when of ["at once", "after a restart"]) {
      assert.deepEqual(await ask("k", "r"), repeated, when);
      assert.deepEqual(await ask("k", "other"), reused, when);
      assert.equal(await ask("K", "r"), undefined, when);
      await world.reopen();
    }
  });

  test(`${name}: a key is free again when its stored response expires, purged or not`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    await recordOnce(world, handle, "a", idempotent("purged"));
    await recordOnce(world, handle, "b", idempotent("not purged"));
    const start = world.now;
    world.now = start + STORED_RESPONSE_LIFE_MS - 1;
    await purgeAll(world);
    assert.deepEqual(await recordOnce(world, handle, "c", idempotent("purged")), repeated);
    assert.deepEqual(await recordOnce(world, handle, "c", idempotent("not purged", "other")), reused);
    world.now = start + STORED_RESPONSE_LIFE_MS;
    const again = idempotent("not purged", "other", "again");
    assert.deepEqual(await recordOnce(world, world.newHandle(), "d", again), recorded);
    await purgeAll(world);
    assert.deepEqual(await recordOnce(world, world.newHandle(), "e", idempotent("purged")), recorded);
    assert.deepEqual(await recordOnce(world, world.newHandle(), "f", again), {
      outcome: "repeated",
      response: "again",
    });
  });

  test(`${name}: expired stored responses are purged, and no others`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const keys = Array.from({ length: 600 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => recordOnce(world, handle, key, idempotent(key))));
    world.now += STORED_RESPONSE_LIFE_MS / 2;
    await recordOnce(world, world.newHandle(), "young", idempotent("young"));
    world.now += STORED_RESPONSE_LIFE_MS / 2;
    await purgeAll(world);
    const ask = (key: string) => world.store.findReplay({ key, fingerprint: "r" }, world.now);
    for (const key of keys) assert.equal(await ask(key), undefined);
    assert.deepEqual(await ask("young"), repeated);
  });

  test(`${name}: erasing a session keeps stored responses of other sessions with the same idempotency key`, async () => {
    await using world = await openWorld(make);
    const [first, second] = [world.newHandle(), world.newHandle()];
    assert.deepEqual(await recordOnce(world, first, "a", idempotent("k")), recorded);
    assert.deepEqual(await recordOnce(world, second, "b", idempotent("k", "other")), reused);
    const own = await world.create({ customerId: "c" });
    assert.deepEqual(await createOnce(world, own, idempotent("k", "third")), reused);
    await world.store.eraseSessions([second, own.handle], world.now);
    assert.deepEqual(await recordOnce(world, first, "a", idempotent("k")), repeated);
    assert.equal((await readPage(world, first))?.total, 1);
    await world.store.eraseSessions([first], world.now);
    assert.equal(await world.store.findReplay({ key: "k", fingerprint: "r" }, world.now), undefined);
  });

  test(`${name}: records with and without a key keep one order`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    for (let i = 1; i <= 20; i++) {
      if (i % 2 === 0) await recordOnce(world, handle, i, idempotent(`k${i}`));
      else await world.store.storeRecords({ handle, records: [record(i)], now: world.now });
    }
    assert.deepEqual((await readPage(world, handle))?.records, records(1, 20));
  });
}
