// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../src/session/errors.ts";
import { anyEvent } from "../../src/session/event.ts";
import { anySession } from "../../src/session/filter.ts";
import type { Identity } from "../../src/session/session.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { MAX_COUNTED } from "../../src/store/ports/search.ts";
import { indexHash, placeOf, sessionTags } from "../../src/store/redis/index/index-entry.ts";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { encodeCreation } from "../../src/store/redis/layout/note-codec.ts";
import { shardTags, tagOf } from "../../src/store/redis/layout/shards.ts";
import { eventually, until } from "../support/eventually.ts";
import { associate, createSession, draft, newIssuer } from "../support/redis/changes.ts";
import { SLOTS } from "../support/redis/cluster-state.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { startTopologies } from "../support/redis/topologies.ts";
import { MINUTE } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";

/*
 * Index entries are written after the response, by notes. These tests use several stores, each of which works its notes
 * off like a process of its own, on one Redis and on a cluster.
 */

const { cluster, single, topologies } = startTopologies();

let prefixes = 0;

/** Returns the handles of all sessions that have an id, page by page. */
async function findAll(store: StoreEngine, given: Partial<Identity>, limit = 1000): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const filter = { ...anySession, ...given };
    const page = await store.listSessions({ filter, after: cursor ?? null, limit, now: Date.now() });
    found.push(...page.sessions.map(({ handle }) => handle));
    cursor = page.next;
  }
  return found;
}

/** Commands that read a whole key, by its type. */
const readers: Readonly<Record<string, readonly string[]>> = {
  stream: ["XRANGE", "-", "+"],
  hash: ["HGETALL"],
  zset: ["ZRANGE", "0", "-1"],
};

/** Returns the contents of all keys of some kinds (`KeyNames`) that have any, as one text. */
async function contents(nodes: readonly RedisNode[], pattern: string): Promise<string> {
  const texts: string[] = [];
  for (const node of nodes) {
    for (const name of (await node.command("KEYS", pattern)) as string[]) {
      const [command = "", ...args] = readers[String(await node.command("TYPE", name))] ?? [];
      const found = (await node.command(command, name, ...args)) as unknown[];
      if (found.length > 0) texts.push(`${name} ${JSON.stringify(found)}`);
    }
  }
  return texts.join("\n");
}

const many = (count: number) => Array.from({ length: count }, (_, i) => i);

for (const [name, at] of Object.entries(topologies)) {
  test(`${name}: another process finds a session at once, by every id, and ends it`, async () => {
    const prefix = `n${prefixes++}:`;
    const [one, other] = await Promise.all([openRedisAt(at().url, { prefix }), openRedisAt(at().url, { prefix })]);
    const created = await createSession(one, { customerId: "c", visitId: "v", globalVisitId: "g" });
    const later = await createSession(other, { visitId: "w" });
    await associate(one, later, { customerId: "c", agentId: "a" });
    assert.deepEqual(new Set(await findAll(other, { customerId: "c" })), new Set([created, later]));
    for (const [given, handle] of [
      [{ visitId: "v" }, created],
      [{ globalVisitId: "g" }, created],
      [{ agentId: "a" }, later],
      [{ visitId: "w" }, later],
    ] as const) {
      assert.deepEqual(await findAll(other, given), [handle]);
    }
    assert.equal((await findAll(other, {})).length, 2);
    await Promise.all([one.close(), other.close()]);
    assert.equal(await contents(at().nodes, `${prefix}n:*`), "", "no note is left");
  });

  test(`${name}: nothing is left of a session that is erased while its index entries are on their way`, async () => {
    const prefix = `n${prefixes++}:`;
    const stores = await Promise.all(many(3).map(() => openRedisAt(at().url, { prefix })));
    const [one, two, three] = stores as [StoreEngine, StoreEngine, StoreEngine];
    // The first two still have the notes in memory when the third one erases the sessions.
    const made = await Promise.all(
      many(40).map((i) => createSession(i % 2 ? one : two, { customerId: "c", visitId: `v${i}` })),
    );
    const erased = await findAll(three, { customerId: "c" });
    assert.deepEqual(new Set(erased), new Set(made));
    await Promise.all(made.map((handle, i) => associate(i % 2 ? two : one, handle, { agentId: "a" })));
    const kept = await createSession(one, { customerId: "d", agentId: "a" });
    await three.eraseSessions(erased, Date.now());
    const left = () => contents(at().nodes, `${prefix}[nxi]:*`);
    const when = await left();
    await Promise.all([one.close(), two.close()]);
    assert.deepEqual(await findAll(three, { agentId: "a" }), [kept]);
    const afterwards = await left();
    await three.close();
    for (const [i, text] of [when, afterwards].entries()) {
      for (const handle of made) assert.ok(!text.includes(sorted(handle)) && !text.includes(handle), `${i}: ${text}`);
    }
    assert.ok(afterwards.includes(sorted(kept)), "the control: the other session is found in the same way");
  });

  test(`${name}: a customer with many sessions is listed page by page, also after some are erased`, async () => {
    const count = name === "Redis" ? sized(500, 2000, 100_000) : sized(100, 300, 10_000);
    const store = await openRedisAt(at().url, { prefix: `n${prefixes++}:` });
    const made: string[] = [];
    while (made.length < count) {
      made.push(
        ...(await Promise.all(
          many(Math.min(500, count - made.length)).map(() => createSession(store, { customerId: "big" })),
        )),
      );
    }
    await createSession(store, { customerId: "small" });
    const expected = made.toSorted((a, b) => (sorted(a) < sorted(b) ? 1 : -1));
    for (const limit of [97, 1000]) assert.deepEqual(await findAll(store, { customerId: "big" }, limit), expected);
    const page = { filter: { ...anySession, customerId: "big" }, after: null, limit: 1, now: Date.now() };
    assert.equal((await store.listSessions(page)).total, Math.min(MAX_COUNTED, count));
    // The index has some of the handles inline and the others in the overflow.
    const erased = [0, 1, 40, 41, count - 1].map((i) => expected[i] as string);
    await store.eraseSessions(erased, Date.now());
    const rest = expected.filter((handle) => !erased.includes(handle));
    assert.deepEqual(await findAll(store, { customerId: "big" }), rest);
    assert.equal((await store.listSessions(page)).total, Math.min(MAX_COUNTED, rest.length));
    await store.close();
  });
}

test("notes that a dead process has left are worked off by the process that gets its lease", async () => {
  const prefix = `n${prefixes++}:`;
  const keys = createKeyNames(prefix);
  const { url, nodes } = topologies["Redis Cluster"]();
  // The dead process had created a session, and had the lease.
  const session = draft({ customerId: "c" });
  const { handle } = session;
  const hash = indexHash("customerId", "c");
  await onOwner(nodes, ["XADD", keys.notes(handle), "*", "", encodeCreation(session, hash, false)]);
  await onOwner(nodes, ["SET", keys.lease, "dead", "PX", "2500"]);
  const store = await openRedisAt(url, { prefix, purpose: "serve" });
  await eventually(async () => assert.equal(await contents(nodes, `${prefix}n:*`), ""));
  const index = await contents(nodes, `${prefix}i:*`);
  assert.ok(index.includes(hash.slice(1)) && index.includes(sorted(handle)), "the entry of the customer");
  await store.close();
});

test("changes are refused while too many notes wait, and accepted when they are worked off", async () => {
  const prefix = `n${prefixes++}:`;
  const { url, node } = single();
  const store = await openRedisAt(url, { prefix, maxPending: 5, eventRetention: MINUTE });
  const { events } = createKeyNames(prefix);
  // No event can be appended to this.
  await node.command("SET", events, "");
  for (let made = 0; ; made++) {
    const session = draft({ customerId: "c" });
    const result = store.create(session, session.createdAt);
    const outcome = await result.catch((error: Refusal) => error);
    if (!(outcome instanceof Refusal)) continue;
    assert.equal(outcome.reason.code, "unavailable");
    assert.equal(made, 50);
    break;
  }
  assert.equal(store.status().unindexed, 50);
  await node.command("DEL", events);
  await until("all notes are worked off", () => store.status().unindexed === 0);
  await createSession(store, { customerId: "c" });
  assert.equal((await findAll(store, { customerId: "c" })).length, 51);
  await store.close();
});

test("while the slot of one index is being moved, sessions with ids in other indexes are found, and all events are published", async () => {
  const prefix = `n${prefixes++}:`;
  const { url, nodes, slotOf } = cluster();
  const keys = createKeyNames(prefix);
  const store = await openRedisAt(url, { prefix, eventRetention: MINUTE, timeout: 4000 });
  const tagOfCustomer = (id: string) => placeOf(indexHash("customerId", id)).tag;
  // An index of ids in a shard that has neither an index of all sessions nor lists of due sessions.
  const held =
    many(500)
      .map((i) => `held ${i}`)
      .find((id) => !sessionTags.includes(tagOfCustomer(id))) ?? "";
  const others = many(500)
    .map((i) => `other ${i}`)
    .filter((id) => tagOfCustomer(id) !== tagOfCustomer(held))
    .slice(0, 40);
  const slot = await slotOf(keys.erased(tagOfCustomer(held)));
  const owner = await cluster().primaryOf(slot);
  const finish = await cluster().beginMove(slot, nodes.slice(0, 3).find((node) => node !== owner) ?? owner);
  const made: string[] = [];
  const customers: string[] = [];
  try {
    // A new session in the shard itself cannot be stored now.
    for (let stored = false; !stored; ) {
      const session = draft({ customerId: held });
      stored = tagOf(session.handle) !== tagOfCustomer(held);
      if (!stored) continue;
      await store.create(session, session.createdAt);
      made.push(session.handle);
    }
    for (const customerId of others) {
      const created = createSession(store, { customerId }).catch((error: unknown) =>
        assert.ok(error instanceof Refusal),
      );
      const handle = await created;
      if (handle === undefined) continue;
      made.push(handle);
      customers.push(customerId);
    }
    await eventually(async () => assert.equal((await findAll(store, { customerId: customers[0] ?? "" })).length, 1));
    assert.equal((await findAll(store, { customerId: customers.at(-1) ?? "" })).length, 1);
    await assert.rejects(findAll(store, { customerId: held }), Refusal);
    await until("no change of this process waits", () => store.status().unindexed === 0);
    const start = (await store.eventBounds())?.start ?? "";
    const { events } = await store.readEvents({ after: start, limit: 100, filter: anyEvent });
    assert.deepEqual(
      new Set(events.flatMap((event) => ("session" in event ? [event.session.handle] : []))),
      new Set(made),
    );
  } finally {
    await finish();
  }
  await eventually(async () => assert.deepEqual(await findAll(store, { customerId: held }), made.slice(0, 1)));
  await store.close();
  assert.equal(await contents(nodes.slice(0, 3), `${prefix}n:*`), "", "no note is left");
});

for (const eventRetention of [MINUTE, null]) {
  const log = eventRetention === null ? "without" : "with";
  test(`a store ${log} an event log closes while its notes are being worked off for a reader`, async () => {
    const { url } = single();
    const store = await openRedisAt(url, { prefix: `n${prefixes++}:`, eventRetention });
    await Promise.all(Array.from({ length: 100 }, () => createSession(store, { customerId: "c" })));
    assert.ok(store.status().unindexed !== 0);
    const reading = eventRetention === null ? findAll(store, { customerId: "c" }) : store.eventBounds();
    await Promise.allSettled([store.close(), reading]);
    assert.equal(store.status().unindexed, 0);
  });
}

test("entries of sessions that can no longer be retained are removed from the indexes, and no others", async () => {
  const prefix = `n${prefixes++}:`;
  const short = { idle: 4 * MINUTE, total: 4 * MINUTE };
  const settings = { prefix, lifetimes: { anonymous: short, recognized: short }, retention: MINUTE };
  const store = await openRedisAt(single().url, { ...settings, purpose: "serve" });
  const now = Date.now();
  // The time of an issuer never runs backwards.
  const earlier = newIssuer();
  // More sessions than the index of ids has for a customer, so that there is an overflow too.
  const outdated = await Promise.all(
    many(50).map(() => createSession(store, { customerId: "c" }, now - 6 * MINUTE, earlier)),
  );
  const kept = await Promise.all(many(50).map(() => createSession(store, { customerId: "d" }, now)));
  await findAll(store, {});
  const left = () => contents([single().node], `${prefix}[xi]:*`);
  await eventually(async () => {
    const text = await left();
    assert.ok(outdated.every((handle) => !text.includes(sorted(handle))));
  });
  const text = await left();
  assert.ok(
    kept.every((handle) => text.split(sorted(handle)).length === 3),
    "an entry in each index",
  );
  await store.close();
});

test("while a process creates sessions of a customer, another one finds and ends all that were reported before", async () => {
  const prefix = `n${prefixes++}:`;
  const [one, other] = await Promise.all([
    openRedisAt(cluster().url, { prefix }),
    openRedisAt(cluster().url, { prefix }),
  ]);
  const reported = new Set<string>();
  const stop = new AbortController();
  const load = many(8).map(async () => {
    while (!stop.signal.aborted) reported.add(await createSession(one, { customerId: "c" }));
  });
  for (let round = 0; round < 5; round++) {
    const earlier = [...reported];
    const found = new Set(await findAll(other, { customerId: "c" }));
    assert.deepEqual(
      earlier.filter((handle) => !found.has(handle)),
      [],
    );
    await Promise.all(
      [...found].slice(0, 64).map((handle) => other.end({ handle, scope: "everyone", now: Date.now() })),
    );
  }
  stop.abort();
  await Promise.all(load);
  await Promise.all([one.close(), other.close()]);
});

test("the shards have the same number of slots between their tags", async () => {
  for (const [i, tag] of shardTags.entries()) {
    const slot = await cluster().slotOf(`ac:s:{${tag}}`);
    assert.equal(Math.floor((slot * shardTags.length) / SLOTS), i, tag);
  }
});

/** Returns a handle as it is in indexes (`sort-order.ts`). */
function sorted(handle: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const ascending = alphabet.split("").toSorted();
  return Array.from(handle, (character) => ascending[alphabet.indexOf(character)]).join("");
}

/** Sends a command to the node that serves its key. */
async function onOwner(nodes: readonly RedisNode[], [name = "", ...words]: string[]): Promise<void> {
  const results = await Promise.allSettled(nodes.map((node) => node.command(name, ...words)));
  assert.ok(
    results.some(({ status }) => status === "fulfilled"),
    JSON.stringify(results),
  );
}
