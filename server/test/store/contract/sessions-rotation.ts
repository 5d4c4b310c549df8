import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../../src/session/filter.ts";
import { MAX_GENERATION } from "../../../src/session/id.ts";
import type { AssociationEvent } from "../../../src/session/timeline.ts";
import type { IdempotentRequest } from "../../../src/store/ports/idempotency.ts";
import { DAY, HOUR, MINUTE } from "../../support/sessions.ts";
import { enqueue, inEveryState, readPage, readSummary, records, timelineOf } from "./timeline.ts";
import { associated, type DataFactory, openWorld, purgeAll, RETENTION, type World } from "./world.ts";

const clients = Array.from({ length: 8 }, (_, i) => i);
const absent = { outcome: "absent" } as const;

/** Asserts that the handle has this generation, and that the generations before and after it open nothing. */
async function assertGeneration(world: World, handle: string, generation: number): Promise<void> {
  const { store, now } = world;
  const before = await store.find(handle);
  assert.equal(before.generation, generation);
  for (const other of [generation - 1, generation + 1]) {
    assert.deepEqual(await world.rotate(handle, other), absent);
    const request = { handle, generation: other, scope: "everyone", now } as const;
    assert.equal(await store.end(request), false);
    assert.equal(await store.readRecordPage({ ...request, after: 0, limit: 9 }), undefined);
  }
  assert.deepEqual(await store.find(handle), before);
  const request = { handle, generation, scope: "everyone", now, after: 0, limit: 9 } as const;
  assert.ok(await store.readRecordPage(request));
}

/** Tests rotations, which are associations with `rotate` (contract.md#session-ids). */
export function rotationContract(name: string, make: DataFactory): void {
  test(`${name}: a rotation associates ids and retires the generation in one step`, async () => {
    await using world = await openWorld(make);
    const { handle, createdAt } = await world.create({ visitId: "v" });
    enqueue(world, handle, records(1, 2));
    world.now += MINUTE;
    const rotated = associated(await world.rotate(handle, 0, { given: { customerId: "anna" } }));
    assert.deepEqual(rotated, {
      ...(await world.store.find(handle)),
      generation: 1,
      customerId: "anna",
      visitId: "v",
      createdAt,
      lastActiveAt: world.now,
      expiresAt: world.now + HOUR,
    });
    enqueue(world, handle, records(3, 3));
    await inEveryState(world, async (when) => {
      await assertGeneration(world, handle, 1);
      const lines = [
        "created visitId -",
        "1 /1 -",
        "2 /2 -",
        "associated customerId anna",
        "rotated  anna",
        "3 /3 anna",
      ];
      for (const limit of [1000, 1, 4]) assert.deepEqual(await readSummary(world, handle, limit), lines, when);
    });
  });

  test(`${name}: a rotation without ids keeps everything but the generation, and is never taken for a repetition`, async () => {
    await using world = await openWorld(make);
    const session = await world.create({ customerId: "anna", visitId: "v" });
    const { handle } = session;
    for (const generation of [0, 1, 2]) {
      const given = generation === 1 ? { customerId: "anna", visitId: "v" } : {};
      const rotated = associated(await world.rotate(handle, generation, { given }));
      assert.deepEqual(rotated, { ...session, generation: generation + 1 });
    }
    await world.reopen();
    await assertGeneration(world, handle, 3);
    assert.deepEqual(await readSummary(world, handle), [
      "created customerId+visitId anna",
      ...["rotated  anna", "rotated  anna", "rotated  anna"],
    ]);
    const rival = world.newSession({ visitId: "v" });
    assert.deepEqual(await world.store.create(rival, world.now), { outcome: "conflict", field: "visitId" });
  });

  test(`${name}: a rotation of an implicit session stores it`, async () => {
    await using world = await openWorld(make);
    for (const given of [{}, { agentId: "7" }]) {
      const handle = world.newHandle();
      const rotated = associated(await world.rotate(handle, 0, { given }));
      assert.deepEqual([rotated.generation, rotated.agentId], [1, given.agentId ?? null]);
      const listed = await world.store.listSessions({ filter: anySession, after: null, limit: 9, now: world.now });
      assert.ok(listed.sessions.some((session) => session.handle === handle));
      await world.reopen();
      await assertGeneration(world, handle, 1);
      associated(await world.rotate(handle, 1));
      await assertGeneration(world, handle, 2);
    }
  });

  test(`${name}: a rotated session without ids is renewed, ended and purged like any other, and never implicit again`, async () => {
    await using world = await openWorld(make);
    const [used, ended, idle] = [world.newHandle(), world.newHandle(), world.newHandle()];
    for (const handle of [used, ended, idle]) associated(await world.rotate(handle, 0));
    world.now += 10 * MINUTE;
    world.store.renew(await world.store.find(used), world.now);
    assert.equal(await world.store.end({ handle: ended, generation: 1, scope: "everyone", now: world.now }), true);
    for (let minute = 10; minute <= 90; minute += 10) {
      await purgeAll(world);
      await world.reopen();
      const session = await world.store.find(used);
      assert.equal(await world.isLive(used), minute < 40, `after ${minute} minutes`);
      if (minute < 40) assert.equal(session.generation, 1);
      assert.equal(await world.isLive(ended), false);
      assert.equal(await world.isLive(idle), minute < 30);
      world.now += 10 * MINUTE;
    }
    assert.deepEqual(await world.rotate(used, 0), absent);
    assert.deepEqual(await world.rotate(used, 1), absent);
  });

  test(`${name}: a refused rotation changes nothing`, async () => {
    await using world = await openWorld(make);
    await world.create({ visitId: "held" });
    const { handle } = await world.create({ customerId: "anna" });
    const unstored = world.newHandle();
    const before = await world.store.find(handle);
    const conflict = (field: string) => ({ outcome: "conflict", field });
    for (const [options, expected] of [
      [{ given: { customerId: "bob", agentId: "7" } }, conflict("customerId")],
      [{ given: { visitId: "held", agentId: "7" } }, conflict("visitId")],
      [{ scope: { customerId: "bob" } }, absent],
      [{ scope: { customerId: null }, given: { agentId: "7" } }, absent],
    ] as const) {
      const idempotent = { key: "k", fingerprint: "r", response: "never stored" };
      assert.deepEqual(await world.rotate(handle, 0, { ...options, idempotent }), expected);
    }
    assert.deepEqual(await world.rotate(unstored, 0, { given: { visitId: "held" } }), conflict("visitId"));
    assert.equal(await world.store.findReplay({ key: "k", fingerprint: "r" }, world.now), undefined);
    for (const when of ["at once", "after a restart"]) {
      assert.deepEqual(await world.store.find(handle), before, when);
      assert.deepEqual(await world.store.find(unstored), world.implicit(unstored), when);
      assert.deepEqual(await readSummary(world, handle), ["created customerId anna"], when);
      await world.reopen();
    }
    world.now = before.expiresAt;
    assert.deepEqual(await world.rotate(handle, 0), absent);
  });

  test(`${name}: after ${MAX_GENERATION} rotations there is no further one`, async () => {
    await using world = await openWorld(make);
    const generation = MAX_GENERATION - 1;
    const session = { ...world.newSession({ customerId: "anna" }), generation };
    const { handle } = session;
    const associations = Array.from(
      { length: generation },
      (_, i): AssociationEvent => ({ at: world.now + i, after: 0, fields: [], isRotation: true }),
    );
    const item = { kind: "session", session, associations, requests: 0 } as const;
    world.now += MINUTE;
    await world.store.importItems({ items: [item], cursor: null, now: world.now });
    associated(await world.rotate(handle, generation));
    for (const given of [{}, { agentId: "7" }]) {
      assert.deepEqual(await world.rotate(handle, MAX_GENERATION, { given }), { outcome: "rotation-limit" });
    }
    await inEveryState(world, async () => {
      await assertGeneration(world, handle, MAX_GENERATION);
      const entries = await timelineOf(world, handle, 7);
      assert.equal(entries.filter(({ type }) => type === "rotated").length, MAX_GENERATION);
    });
    associated(
      await world.store.associate({
        ...{ handle, generation: MAX_GENERATION, scope: "everyone", now: world.now },
        ids: { ...session, agentId: "7" },
      }),
    );
  });

  test(`${name}: the time at which an id was replaced is known as long as the session`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "anna" });
    const times = [world.now + MINUTE, world.now + 2 * MINUTE];
    for (const [generation, at] of times.entries()) {
      world.now = at;
      associated(await world.rotate(handle, generation));
      world.now += 1000;
      associated(
        await world.store.associate({
          handle,
          generation: generation + 1,
          ids: { ...(await world.store.find(handle)), agentId: "7" },
          scope: "everyone",
          now: world.now,
        }),
      );
    }
    const unstored = world.newHandle();
    for (const when of ["at once", "after a restart"]) {
      const found = await Promise.all([0, 1, 2, 3].map((generation) => world.store.rotatedAt(handle, generation)));
      assert.deepEqual(found, [...times, undefined, undefined], when);
      assert.equal(await world.store.rotatedAt(unstored, 0), undefined);
      await world.reopen();
    }
    world.now += 2 * DAY + RETENTION;
    await purgeAll(world);
    assert.equal(await world.store.rotatedAt(handle, 0), undefined);
  });

  test(`${name}: of rotations of one generation at the same time exactly one wins`, async () => {
    await using world = await openWorld(make);
    for (const handle of [(await world.create({ agentId: "a" })).handle, world.newHandle()]) {
      const results = await Promise.all(
        clients.map((i) => world.rotate(handle, 0, { given: { customerId: `c${i}` } })),
      );
      const [winner, ...others] = results.filter(({ outcome }) => outcome === "associated");
      assert.ok(winner !== undefined && others.length === 0);
      assert.equal(results.filter(({ outcome }) => outcome === "absent").length, clients.length - 1);
      const session = associated(winner);
      assert.equal(session.generation, 1);
      assert.deepEqual(await world.store.find(handle), session);
    }
  });

  test(`${name}: a rotation at the same time as renewals, records and an association takes effect, and undoes none`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ agentId: "a" });
    const before = await world.store.find(handle);
    world.now += 10 * MINUTE;
    const associating = world.associate(handle, { customerId: "c" });
    world.store.renew(before, world.now);
    enqueue(world, handle, records(1, 1));
    const rotating = world.rotate(handle, 0, { given: { visitId: "v" } });
    world.store.renew(before, world.now);
    enqueue(world, handle, records(2, 2));
    associated(await rotating);
    // If the rotation comes first, the association names a retired generation and is refused.
    const { outcome } = await associating;
    if (outcome !== "associated") assert.equal(outcome, "absent");
    const customer = outcome === "associated" ? "c" : null;
    // Whatever was renewed before the rotation was known, the session has its new generation from now on.
    const check = async () => {
      const { generation, customerId, visitId, expiresAt } = await world.store.find(handle);
      assert.deepEqual([generation, customerId, visitId, expiresAt], [1, customer, "v", world.now + HOUR]);
    };
    await check();
    assert.deepEqual((await readPage(world, handle))?.records, records(1, 2));
    await check();
    await world.reopen();
    await check();
  });

  test(`${name}: repeating a rotation returns the first response, although its id is retired`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ customerId: "anna" });
    const once = (response: string, fingerprint = "r"): IdempotentRequest => ({ key: "k", fingerprint, response });
    const given = { agentId: "7" };
    assert.deepEqual(await world.rotate(handle, 1, { given, idempotent: once("too early") }), absent);
    const session = associated(await world.rotate(handle, 0, { given, idempotent: once("first") }));
    const item = { kind: "answer", idempotent: once("first"), handle, created: null, storedAt: world.now } as const;
    for (const when of ["at once", "after a restart"]) {
      const replay = await world.rotate(handle, 0, { given, idempotent: once("second") });
      assert.deepEqual(replay, { outcome: "repeated", response: "first" }, when);
      const other = await world.rotate(handle, 0, { given, idempotent: once("second", "other") });
      assert.deepEqual(other, { outcome: "key-reused" }, when);
      assert.deepEqual(await world.rotate(handle, 0, { given }), absent, "without the key it is retired");
      assert.deepEqual(await world.store.find(handle), session, when);
      assert.deepEqual(await world.store.listStoredResponses(handle, world.now), [item], when);
      await world.reopen();
    }
    await world.store.eraseSessions([handle], world.now);
    assert.deepEqual(await world.store.listStoredResponses(handle, world.now), []);
    assert.equal(await world.store.findReplay({ key: "k", fingerprint: "r" }, world.now), undefined);
    assert.equal(await world.isLive(handle), false);
    for (const generation of [0, 1]) assert.deepEqual(await world.rotate(handle, generation), absent);
  });

  test(`${name}: of rotations with one idempotency key at the same time one is carried out, and all get its response`, async () => {
    await using world = await openWorld(make);
    const handle = world.newHandle();
    const idempotent = { key: "k", fingerprint: "r", response: "first" };
    const results = await Promise.all(clients.map(() => world.rotate(handle, 0, { idempotent })));
    assert.equal(results.filter(({ outcome }) => outcome === "associated").length, 1);
    assert.equal(results.filter(({ outcome }) => outcome === "repeated").length, clients.length - 1);
    assert.equal((await world.store.find(handle)).generation, 1);
  });
}
