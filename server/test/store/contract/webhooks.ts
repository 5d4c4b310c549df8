import assert from "node:assert/strict";
import { test } from "node:test";
import { DELIVERY_RETENTION_MS, type Delivery, MAX_ENDPOINTS } from "../../../src/session/webhook.ts";
import type { Message } from "../../../src/store/ports/webhooks.ts";
import { DAY, HOUR, MINUTE, SECOND, START } from "../../support/sessions.ts";
import { sampleEndpoint as endpoint } from "../../webhooks/sample-endpoint.ts";
import { type DataFactory, openWorld, type World } from "./world.ts";

/** Returns a message about a session. */
function message(eventId: string, handle: string | null = null): Message {
  const type = handle === null ? "webhook.test" : "session.created";
  return { eventId, type, handle, body: JSON.stringify({ id: eventId, é: handle }) };
}

/** Queues messages for an endpoint, and returns the ids of the deliveries. */
async function queue(world: World, id: string, messages: readonly Message[], cursor?: string) {
  const erasures = (await world.store.readQueue(id))?.erasures ?? 0;
  const queued = await world.store.queueDeliveries({
    ...{ endpointId: id, epoch: 1, erasures, messages, now: world.now },
    ...(cursor !== undefined && { cursor }),
  });
  assert.ok(queued !== undefined);
  return queued;
}

async function due(world: World, id: string, limit = 100): Promise<string[]> {
  return (await world.store.listDue(id, world.now, limit)).map(({ eventId }) => eventId);
}

function attempt(world: World, id: string, deliveryId: string, dueAt: number | null | "delivered") {
  const isDelivered = dueAt === "delivered";
  const status = isDelivered ? 204 : 500;
  return world.store.storeAttempt({
    ...{ endpointId: id, deliveryId, isDelivered, dueAt: isDelivered ? null : dueAt, now: world.now },
    attempt: { at: world.now, durationMs: 12, status, error: null },
  });
}

async function deliveries(world: World, id: string): Promise<readonly Delivery[]> {
  return (await world.store.listDeliveries({ endpointId: id, state: null, before: null, limit: 1000 })).deliveries;
}

/** Tests the port `webhooks`. */
export function webhooksContract(name: string, make: DataFactory): void {
  test(`${name}: endpoints are stored, listed oldest first, replaced by their next revision alone, and removed`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    assert.deepEqual(await store.listEndpoints(), []);
    const second = endpoint("wh_1", { createdAt: START + 1, types: ["session.ended"] });
    const first = endpoint("wh_2");
    assert.deepEqual([await store.addEndpoint(second), await store.addEndpoint(first)], [true, true]);
    assert.deepEqual(await store.listEndpoints(), [first, second]);
    const next = { ...first, revision: 2, isEnabled: false, disabledReason: "gone" } as const;
    assert.equal(await store.replaceEndpoint(next), true);
    assert.equal(await store.replaceEndpoint({ ...next, revision: 4 }), false);
    assert.equal(await store.replaceEndpoint(endpoint("wh_3", { revision: 2 })), false);
    await world.reopen();
    assert.deepEqual(await world.store.listEndpoints(), [next, second]);
    assert.equal(await world.store.removeEndpoint("wh_1", world.now), true);
    assert.equal(await world.store.removeEndpoint("wh_1", world.now), false);
    assert.deepEqual(await world.store.listEndpoints(), [next]);
    assert.equal(await world.store.readQueue("wh_1"), undefined);
  });

  test(`${name}: there are at most ${MAX_ENDPOINTS} endpoints, and one that is removed makes room`, async () => {
    await using world = await openWorld(make);
    const add = (i: number) => world.store.addEndpoint(endpoint(`wh_${i}`));
    const added = await Promise.all(Array.from({ length: MAX_ENDPOINTS + 2 }, (_, i) => add(i)));
    assert.equal(added.filter((isAdded) => isAdded).length, MAX_ENDPOINTS);
    assert.equal(await world.store.removeEndpoint("wh_0", world.now), true);
    assert.equal(await add(100), true);
    assert.equal(await add(101), false);
  });

  test(`${name}: of a session only the oldest pending delivery is due, and sessions do not wait for each other`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1"));
    await store.addEndpoint(endpoint("wh_2"));
    const [a, b] = [world.newHandle(), world.newHandle()];
    const ids = await queue(world, "wh_1", [message("e1", a), message("e2", a), message("e3", b), message("e4")]);
    await queue(world, "wh_2", [message("e1", a)]);
    await queue(world, "wh_1", [message("e5", a)]);
    assert.deepEqual(await due(world, "wh_1"), ["e1", "e3", "e4"]);
    assert.deepEqual(await due(world, "wh_1", 2), ["e1", "e3"]);
    assert.deepEqual(await due(world, "wh_2"), ["e1"]);
    const [first] = await store.listDue("wh_1", world.now, 1);
    assert.deepEqual(first, {
      ...{ id: ids[0], eventId: "e1", type: "session.created", handle: a, body: message("e1", a).body },
      ...{ state: "pending", attempts: 0, queuedAt: START, dueAt: START, finishedAt: null, lastAttempt: null },
    });

    await attempt(world, "wh_1", ids[0] as string, START + 5 * SECOND);
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4"], "the session waits for the retry");
    await world.reopen();
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4"]);
    world.now = START + 5 * SECOND;
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4", "e1"]);
    await attempt(world, "wh_1", ids[0] as string, "delivered");
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4", "e2"]);
    await attempt(world, "wh_1", ids[1] as string, null);
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4", "e5"], "a failed delivery no longer delays the next one");
    const states = (await deliveries(world, "wh_1")).map(({ eventId, state, attempts }) => [eventId, state, attempts]);
    const pending = (event: string) => [event, "pending", 0];
    assert.deepEqual(states, [
      pending("e5"),
      pending("e4"),
      pending("e3"),
      ["e2", "failed", 1],
      ["e1", "delivered", 2],
    ]);
  });

  test(`${name}: the queue knows its cursor, its length and its times`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1", { startAfter: "7" }));
    const empty = { erasures: 0, pending: 0, oldestQueuedAt: null, nextDueAt: null };
    assert.deepEqual(await store.readQueue("wh_1"), { ...empty, cursor: "7" });
    assert.equal(await store.readQueue("unknown"), undefined);
    const [id] = await queue(world, "wh_1", [message("e1", world.newHandle())], "9");
    await attempt(world, "wh_1", id as string, START + MINUTE);
    world.now = START + SECOND;
    await queue(world, "wh_1", [message("e2")]);
    const state = { erasures: 0, pending: 2, oldestQueuedAt: START, nextDueAt: START + SECOND };
    assert.deepEqual(await store.readQueue("wh_1"), { ...state, cursor: "9" });
    await queue(world, "wh_1", [], "12");
    await world.reopen();
    assert.deepEqual(await world.store.readQueue("wh_1"), { ...state, cursor: "12" });
    await attempt(world, "wh_1", id as string, "delivered");
    const rest = { erasures: 0, pending: 1, oldestQueuedAt: START + SECOND, nextDueAt: START + SECOND };
    assert.deepEqual(await world.store.readQueue("wh_1"), { ...rest, cursor: "12" });

    const enabled = endpoint("wh_1", { revision: 2, epoch: 2, startAfter: "20" });
    assert.equal(await world.store.replaceEndpoint(enabled), true);
    assert.equal((await world.store.readQueue("wh_1"))?.cursor, "20", "an enabled endpoint begins at its own position");
  });

  test(`${name}: nothing is queued for an unknown endpoint, or of events that were read before an erasure`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1"));
    const request = { endpointId: "wh_1", epoch: 1, erasures: 0, cursor: "3", now: START };
    const messages = [message("e1", world.newHandle())];
    assert.equal(await store.queueDeliveries({ ...request, endpointId: "unknown", messages }), undefined);
    await store.eraseSessions([world.newHandle()], world.now);
    assert.equal(await store.queueDeliveries({ ...request, messages }), undefined);
    const erasures = (await store.readQueue("wh_1"))?.erasures ?? 0;
    assert.ok(erasures > 0);
    assert.deepEqual(await store.queueDeliveries({ ...request, erasures, messages }), ["1"]);
  });

  test(`${name}: completing the erasure of a customer removes deliveries of its sessions that are no longer stored`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    for (const id of ["wh_1", "wh_2"]) await store.addEndpoint(endpoint(id));
    const about = (eventId: string, handle: string, customerId: string | null) => {
      const body = JSON.stringify({ id: eventId, data: { session: { handle, customerId } } });
      return { ...message(eventId, handle), body };
    };
    const [erased, other] = [world.newHandle(), world.newHandle()];
    for (const id of ["wh_1", "wh_2"]) {
      const messages = [about("e1", erased, null), about("e2", erased, "ü"), about("e3", other, "üü"), message("e4")];
      const ids = await queue(world, id, messages);
      await attempt(world, id, ids[0] as string, "delivered");
    }
    await store.eraseCustomerApiKeys("ü", "hash", world.now);
    for (const id of ["wh_1", "wh_2"]) {
      const left = (await deliveries(world, id)).map(({ eventId }) => eventId);
      assert.deepEqual(left, ["e4", "e3"]);
      assert.equal((await store.readQueue(id))?.pending, 2);
    }
  });

  test(`${name}: erasing sessions removes their deliveries in every state, and those of others stay`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    for (const id of ["wh_1", "wh_2"]) await store.addEndpoint(endpoint(id));
    const erased = (await world.create({ customerId: "c" })).handle;
    const other = (await world.create({ customerId: "d" })).handle;
    for (const id of ["wh_1", "wh_2"]) {
      const ids = await queue(world, id, [message("e1", erased), message("e2", other), message("e3", erased)]);
      await attempt(world, id, ids[0] as string, "delivered");
    }
    await store.eraseSessions([erased], world.now);
    for (const id of ["wh_1", "wh_2"]) {
      assert.deepEqual(
        (await deliveries(world, id)).map(({ eventId }) => eventId),
        ["e2"],
      );
      assert.deepEqual(await due(world, id), ["e2"]);
      assert.equal((await store.readQueue(id))?.pending, 1);
    }
  });

  test(`${name}: a delivery can be made due again, and goes before all others`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1"));
    const handle = world.newHandle();
    const ids = await queue(world, "wh_1", [message("e1", handle), message("e2", handle), message("e3")]);
    await attempt(world, "wh_1", ids[0] as string, null);
    world.now = START + HOUR;
    const redelivered = await store.redeliver("wh_1", ids[0] as string, world.now);
    assert.deepEqual(
      [redelivered?.state, redelivered?.attempts, redelivered?.dueAt, redelivered?.lastAttempt?.status],
      ["pending", 0, 0, 500],
    );
    assert.deepEqual(await due(world, "wh_1"), ["e1", "e2", "e3"]);
    assert.deepEqual(
      (await store.listDue("wh_1", 0, 10)).map(({ eventId }) => eventId),
      ["e1"],
    );
    await attempt(world, "wh_1", ids[0] as string, "delivered");
    assert.deepEqual(await due(world, "wh_1"), ["e2", "e3"]);
    assert.equal(await store.redeliver("wh_1", "99", world.now), undefined);
    assert.equal(await store.redeliver("wh_1", "x", world.now), undefined);
    assert.equal(await store.redeliver("unknown", "1", world.now), undefined);
  });

  test(`${name}: deliveries that are too old fail in order, up to a limit`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1"));
    const handle = world.newHandle();
    await queue(world, "wh_1", [message("e1", handle), message("e2", handle), message("e3")]);
    world.now = START + 3 * DAY;
    await queue(world, "wh_1", [message("e4", handle)]);
    assert.equal(await store.failOverdue("wh_1", START + DAY, 2, world.now), 2);
    assert.deepEqual(await due(world, "wh_1"), ["e3", "e4"]);
    assert.equal(await store.failOverdue("wh_1", START + DAY, 2, world.now), 1);
    assert.equal(await store.failOverdue("wh_1", START + DAY, 2, world.now), 0);
    const [, third] = await deliveries(world, "wh_1");
    assert.deepEqual([third?.state, third?.finishedAt, third?.lastAttempt?.error], ["failed", world.now, "overdue"]);
    // The response of an attempt that was under way arrives late.
    await attempt(world, "wh_1", third?.id as string, null);
    assert.equal((await deliveries(world, "wh_1"))[1]?.lastAttempt?.error, "overdue");
    await attempt(world, "wh_1", third?.id as string, "delivered");
    assert.equal((await deliveries(world, "wh_1"))[1]?.state, "delivered");
    assert.equal((await store.readQueue("wh_1"))?.pending, 1);
  });

  test(`${name}: deliveries are listed newest first, by state, page by page`, async () => {
    await using world = await openWorld(make);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1"));
    const ids = await queue(
      world,
      "wh_1",
      Array.from({ length: 5 }, (_, i) => message(`e${i + 1}`)),
    );
    await attempt(world, "wh_1", ids[1] as string, null);
    await attempt(world, "wh_1", ids[3] as string, null);
    const page = async (state: Delivery["state"] | null, before: string | null, limit = 2) => {
      const found = await store.listDeliveries({ endpointId: "wh_1", state, before, limit });
      return [found.deliveries.map(({ eventId }) => eventId).join(" "), found.next];
    };
    assert.deepEqual(await page(null, null), ["e5 e4", ids[3]]);
    assert.deepEqual(await page(null, ids[3] as string), ["e3 e2", ids[1]]);
    assert.deepEqual(await page(null, ids[1] as string), ["e1", null]);
    assert.deepEqual(await page("failed", null, 10), ["e4 e2", null]);
    assert.deepEqual(await page("failed", ids[3] as string), ["e2", null]);
    assert.deepEqual(await page("delivered", null), ["", null]);
    assert.deepEqual(await page(null, "x"), ["", null]);
  });

  test(`${name}: finished deliveries are purged after their retention, and those of a removed endpoint at once`, async () => {
    await using world = await openWorld(make);
    const purge = async () => {
      while (await world.store.purgeDeliveries(world.now));
    };
    await world.store.addEndpoint(endpoint("wh_1"));
    const ids = await queue(world, "wh_1", [message("e1"), message("e2"), message("e3"), message("e4")]);
    await attempt(world, "wh_1", ids[0] as string, null);
    await attempt(world, "wh_1", ids[1] as string, "delivered");
    world.now = START + HOUR;
    await attempt(world, "wh_1", ids[2] as string, "delivered");
    world.now = START + DELIVERY_RETENTION_MS + MINUTE;
    await purge();
    assert.deepEqual(
      (await deliveries(world, "wh_1")).map(({ eventId }) => eventId),
      ["e4", "e3"],
    );
    await world.store.removeEndpoint("wh_1", world.now);
    await purge();
    await world.store.addEndpoint(endpoint("wh_2"));
    assert.deepEqual(await deliveries(world, "wh_2"), []);
  });

  test(`${name}: an endpoint with much to purge does not keep the others from being purged`, async () => {
    await using world = await openWorld(make);
    for (const [id, count] of [
      ["wh_1", 300],
      ["wh_2", 1],
    ] as const) {
      await world.store.addEndpoint(endpoint(id));
      await queue(
        world,
        id,
        Array.from({ length: count }, (_, i) => message(`e${i}`)),
      );
      while ((await world.store.failOverdue(id, world.now + 1, count, world.now)) > 0);
    }
    world.now = START + DELIVERY_RETENTION_MS + MINUTE;
    assert.equal(await world.store.purgeDeliveries(world.now), true);
    assert.ok((await deliveries(world, "wh_1")).length > 0);
    assert.deepEqual(await deliveries(world, "wh_2"), []);
  });
}

/** Tests that endpoints and deliveries move to another store (default: of the same engine). */
export function webhookTransferContract(name: string, make: DataFactory, other = make): void {
  test(`${name}: endpoints and deliveries are exported and imported with their states`, async () => {
    await using world = await openWorld(make);
    await using target = await openWorld(other);
    const { store } = world;
    await store.addEndpoint(endpoint("wh_1", { startAfter: "5" }));
    await store.addEndpoint(endpoint("wh_2", { createdAt: START + 1 }));
    const handle = world.newHandle();
    const ids = await queue(world, "wh_1", [message("e1", handle), message("e2", handle), message("e3")], "17");
    await queue(world, "wh_2", [message("e1", handle)]);
    await attempt(world, "wh_1", ids[0] as string, START + MINUTE);
    await attempt(world, "wh_1", ids[2] as string, "delivered");
    const transfer = async () => {
      for (let after: string | null | undefined; after !== null; ) {
        const page = await store.exportPage(after ?? null, world.now);
        const items = page.items.filter(({ kind }) => kind === "endpoint" || kind === "delivery");
        await target.store.importItems({ items, cursor: null, now: world.now });
        after = page.next;
      }
    };
    await transfer();
    await transfer();
    const endpoints = await store.listEndpoints();
    assert.deepEqual(
      await target.store.listEndpoints(),
      endpoints.map((one) => ({ ...one, startAfter: null })),
    );
    for (const id of ["wh_1", "wh_2"]) {
      assert.deepEqual(await deliveries(target, id), await deliveries(world, id));
      const source = await store.readQueue(id);
      assert.deepEqual(
        await target.store.readQueue(id),
        { ...source, cursor: null },
        "the target has a log of its own",
      );
    }
    target.now = START + MINUTE;
    assert.deepEqual(await due(target, "wh_1"), ["e1"]);
    await attempt(target, "wh_1", ids[0] as string, "delivered");
    assert.deepEqual(await due(target, "wh_1"), ["e2"]);
    // An older state that is imported afterwards undoes nothing.
    await transfer();
    assert.deepEqual(await due(target, "wh_1"), ["e2"]);
    assert.equal((await queue(target, "wh_1", [message("e4")]))[0], "4");
  });
}
