import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession } from "../../../src/session/filter.ts";
import { isBare } from "../../../src/session/session.ts";
import { MAX_ERASED } from "../../../src/store/ports/erasure.ts";
import type { IdempotentRequest } from "../../../src/store/ports/idempotency.ts";
import { HOUR, MINUTE } from "../../support/sessions.ts";
import { apiKey } from "./credentials.ts";
import { putData } from "./data.ts";
import { compact, enqueue, readPage, readSummary, records } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, type World } from "./world.ts";

const idempotent = (name: string): IdempotentRequest => ({
  key: name,
  fingerprint: "r",
  response: `response to ${name}`,
});

/** Creates a session with all kinds of data that a session can have. */
async function fill(world: World, customerId: string): Promise<string> {
  const session = world.newSession({ customerId, visitId: `visit of ${customerId}` });
  await world.store.create(session, world.now, idempotent(`create ${customerId}`));
  enqueue(world, session.handle, records(1, 5));
  await compact(world);
  await world.associate(session.handle, { agentId: "agent", globalVisitId: "global", label: "Phone" });
  const { handle } = session;
  const kept = idempotent(`record ${customerId}`);
  await world.store.storeRecords({ handle, records: records(6, 7), now: world.now, idempotent: kept });
  enqueue(world, handle, records(8, 9));
  await putData(world, handle, { cart: `of ${customerId}` });
  return handle;
}

async function assertGone(world: World, handle: string, customerId: string): Promise<void> {
  const { store } = world;
  const found = await store.find(handle);
  assert.ok(isBare(found) && !(await world.isLive(handle)));
  assert.deepEqual(await store.listStoredResponses(handle, world.now), []);
  for (const name of [`create ${customerId}`, `record ${customerId}`]) {
    assert.equal(await store.findReplay({ key: name, fingerprint: "r" }, world.now), undefined);
  }
  const all = await store.listSessions({
    filter: anySession,
    after: null,
    limit: 100,
    now: world.now,
  });
  assert.ok(all.sessions.every((session) => session.handle !== handle));
  for (const ids of [{ customerId }, { visitId: `visit of ${customerId}` }]) {
    const filter = { ...anySession, ...ids };
    const { sessions, total } = await store.listSessions({
      filter,
      after: null,
      limit: 9,
      now: world.now,
    });
    assert.deepEqual([sessions, total], [[], 0]);
  }
  assert.equal(await readPage(world, handle), undefined);
  assert.equal((await store.findWithData(handle)).data, "{}");
  assert.deepEqual(await world.associate(handle, { customerId }), { outcome: "absent" });
}

/** Tests the port `erasure`. */
export function erasureContract(name: string, make: DataFactory): void {
  test(`${name}: nothing of an erased session remains, and others keep everything`, async () => {
    await using world = await openWorld(make);
    const gone = await fill(world, "anna");
    const kept = await fill(world, "berta");
    const before = await readSummary(world, kept);
    const session = await world.store.find(kept);
    const answers = await world.store.listStoredResponses(kept, world.now);
    assert.deepEqual(
      answers.map(({ idempotent: { response: answer }, handle, created }) => [answer, handle, created]),
      [
        ["response to create berta", null, kept],
        ["response to record berta", kept, null],
      ],
    );
    await world.store.eraseSessions([gone], world.now);
    for (const when of ["at once", "after a restart", "compacted", "after another"]) {
      await assertGone(world, gone, "anna");
      assert.deepEqual(await readSummary(world, kept), before, when);
      assert.deepEqual(await world.store.find(kept), session);
      assert.deepEqual(await world.store.listStoredResponses(kept, world.now), answers);
      if (when === "compacted") await compact(world);
      else await world.reopen();
    }
    assert.deepEqual(world.failures, []);
  });

  test(`${name}: the visit of an erased session is free, and its id never becomes an implicit session again`, async () => {
    await using world = await openWorld(make);
    const { handle } = await world.create({ visitId: "v", customerId: "anna" });
    const blank = world.newHandle();
    await world.store.eraseSessions([handle, blank], world.now);
    for (const late of [0, 5 * MINUTE, HOUR, 72 * HOUR]) {
      world.now += late;
      await purgeAll(world);
      for (const one of [handle, blank]) assert.equal(await world.isLive(one), false, `${late}`);
    }
    await world.create({ visitId: "v" });
    await world.store.eraseSessions([handle, blank], world.now);
  });

  test(`${name}: an ended or expired session can be erased, and later records do not bring it back`, async () => {
    await using world = await openWorld(make);
    const ended = await world.create({ customerId: "anna" });
    await world.end(ended.handle);
    const expired = await world.create({ customerId: "anna" });
    enqueue(world, expired.handle, records(1, 2));
    world.now = expired.expiresAt;
    await world.store.eraseSessions([ended.handle, expired.handle], world.now);
    await compact(world);
    await world.reopen();
    for (const { handle } of [ended, expired]) assert.equal(await readPage(world, handle), undefined);
    const { total } = await world.store.listSessions({
      filter: { ...anySession, customerId: "anna" },
      after: null,
      limit: 1,
      now: world.now,
    });
    assert.equal(total, 0);
  });

  test(`${name}: the maximum number of sessions is erased at once`, async () => {
    await using world = await openWorld(make);
    const made = [];
    for (let i = 0; i < MAX_ERASED; i++) made.push(await world.create({ customerId: "anna" }));
    for (const { handle } of made) enqueue(world, handle, records(1, 3));
    await world.store.eraseSessions(
      made.map(({ handle }) => handle),
      world.now,
    );
    const filter = { ...anySession, customerId: "anna" };
    const { total } = await world.store.listSessions({
      filter,
      after: null,
      limit: 1,
      now: world.now,
    });
    assert.equal(total, 0);
    for (const { handle } of made) assert.equal((await readPage(world, handle))?.total ?? 0, 0);
  });

  test(`${name}: the API keys of a customer are removed, and no others`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    const keys = ["anna", "berta", null, "anna"].map((customerId, i) =>
      apiKey(`k${i + 1}`, { role: "customer", customerId }),
    );
    for (const one of keys) {
      await store.addApiKey(one);
    }
    await store.revokeApiKey("k4", world.now);
    assert.equal(await store.eraseCustomerApiKeys("anna", "hash", world.now), 2);
    assert.equal(await store.eraseCustomerApiKeys("anna", "hash", world.now), 0);
    await world.reopen();
    assert.deepEqual((await world.store.listApiKeys()).map(({ id }) => id).toSorted(), ["k2", "k3"]);
  });
}
