// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { anyEvent, type SessionEvent } from "../../src/session/event.ts";
import { formatPosition } from "../../src/store/event-position.ts";
import { SLOT_MS } from "../../src/store/expiry-pace.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import type { EventPage } from "../../src/store/ports/events.ts";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { noteBits } from "../../src/store/redis/layout/note-codec.ts";
import { eventually, until } from "../support/eventually.ts";
import { associate, createSession } from "../support/redis/changes.ts";
import type { RedisNode } from "../support/redis/node.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { startTopologies } from "../support/redis/topologies.ts";
import { DAY, MINUTE } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";

/*
 * The event log over Redis with several stores, each of which works like a process of its own. `contract/events.ts` tests
 * what one process sees.
 */

const { single, cluster, topologies } = startTopologies();

let prefixes = 0;
const newPrefix = () => `e${prefixes++}:`;
const open = (url: string, prefix: string, more: Parameters<typeof openRedisAt>[1] = {}) =>
  openRedisAt(url, { prefix, eventRetention: DAY, ...more });

const many = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Returns the events after `position` that are in the log now. */
async function readAll(store: StoreEngine, position = formatPosition({ at: 0, sequence: 0 })): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for (let next = position; ; ) {
    const page = await store.readEvents({ after: next, limit: 500, filter: anyEvent });
    events.push(...page.events.filter((event) => "session" in event));
    next = page.next;
    if (!page.hasMore) return events;
  }
}

/** Returns what happened to each session, in the order of the log. */
function histories(events: readonly SessionEvent[]): Map<string, string[]> {
  const bySession = Map.groupBy(events, ({ session }) => session.handle);
  return new Map(
    Array.from(bySession, ([handle, some]) => [
      handle,
      some.map((event) => (event.type === "session.associated" ? event.added.join() : event.type.slice(8))),
    ]),
  );
}

/** Returns all keys of a kind with their contents. */
async function keysAt(nodes: readonly RedisNode[], pattern: string): Promise<string[]> {
  const names = await Promise.all(nodes.map((node) => node.command("KEYS", pattern)));
  return (names as string[][]).flat();
}

for (const [name, at] of Object.entries(topologies)) {
  test(`${name}: the events of sessions that several processes change in turn are in order, and each is there once`, async () => {
    const prefix = newPrefix();
    const stores = await Promise.all(many(3).map(() => open(at().url, prefix)));
    const of = (i: number) => stores[i % 3] as StoreEngine;
    const handles = await Promise.all(
      many(sized(60, 200, 5000)).map(async (i) => {
        const handle = await createSession(of(i), { customerId: `c${i}` });
        await associate(of(i + 1), handle, { agentId: "a" });
        await associate(of(i + 2), handle, { globalVisitId: "g" });
        await associate(of(i), handle, { visitId: `v${i}` });
        assert.equal(await of(i + 1).end({ handle, scope: "everyone", now: Date.now() }), true);
        return handle;
      }),
    );
    // A reader of an index works off the same notes as the processes themselves.
    await of(0).eraseSessions([await createSession(of(1), { customerId: "erased" })], Date.now());
    await Promise.all(stores.map((store) => store.eventBounds()));
    const found = histories(await readAll(of(2)));
    const expected = ["created", "agentId", "globalVisitId", "visitId", "ended"];
    assert.deepEqual(found, new Map([...found.keys()].map((handle) => [handle, expected])));
    assert.deepEqual(new Set(found.keys()), new Set(handles));
    await Promise.all(stores.map((store) => store.close()));
    assert.equal(await notesLeft(at().nodes, prefix), 0);
  });

  test(`${name}: a reader in another process hears of an event`, async () => {
    const prefix = newPrefix();
    const [one, other] = await Promise.all([open(at().url, prefix), open(at().url, prefix)]);
    const { end } = (await other.eventBounds()) ?? { end: "" };
    let calls = 0;
    const stop = other.onEvents(() => calls++);
    const started = performance.now();
    const handle = await createSession(one, { customerId: "c" });
    await until("the event is there", async () => (await readAll(other, end)).length > 0);
    await until("the listener is called", () => calls > 0);
    console.log(`${name}: after ${Math.round(performance.now() - started)} ms`);
    assert.deepEqual(histories(await readAll(other, end)), new Map([[handle, ["created"]]]));
    stop();
    await Promise.all([one.close(), other.close()]);
  });

  test(`${name}: while few sessions change, a reader in another process hears of each event soon`, async () => {
    const prefix = newPrefix();
    const [one, other] = await Promise.all([open(at().url, prefix), open(at().url, prefix)]);
    let after = (await other.eventBounds())?.end;
    let heard: (page: EventPage) => void = () => undefined;
    const read = async () => {
      const page = await other.readEvents({ after: after ?? "", limit: 1, filter: anyEvent });
      if (page.events.length > 0) heard(page);
    };
    const stop = other.onEvents(() => void read());
    // On a busy machine some events may take longer, but not all of them.
    await until("an event takes less than 100 ms", async () => {
      const event = Promise.withResolvers<EventPage>();
      heard = event.resolve;
      await createSession(one, { customerId: "c" });
      const isSoon = await Promise.race([event.promise.then(() => true), delay(100, false)]);
      after = (await event.promise).next;
      return isSoon;
    });
    stop();
    await Promise.all([one.close(), other.close()]);
  });

  test(`${name}: of an erased customer the log has nothing, also if its events are on their way`, async () => {
    const prefix = newPrefix();
    const [one, other] = await Promise.all([open(at().url, prefix), open(at().url, prefix)]);
    const early = await Promise.all(many(20).map(() => createSession(one, { customerId: "c" })));
    await one.eventBounds();
    const resume = await holdLog(at().nodes, prefix);
    const late = await Promise.all(many(20).map(() => createSession(one, { customerId: "c" })));
    const kept = await createSession(one, { customerId: "d" });
    const erase = () => other.eraseSessions([...early, ...late], Date.now());
    await assert.rejects(erase());
    await resume();
    await erase();
    await one.eventBounds();
    assert.deepEqual([...histories(await readAll(other)).keys()], [kept]);
    assert.equal((await other.eventBounds())?.events, early.length + 1, "later ones are not appended");
    let isDone = false;
    for (let i = 0; !isDone; i++) isDone = !(await other.purgeExpired(Date.now() + i)).hasMore;
    assert.equal((await other.eventBounds())?.events, 1, "their entries are removed");
    assert.deepEqual([...histories(await readAll(other)).keys()], [kept]);
    await Promise.all([one.close(), other.close()]);
  });

  test(`${name}: two processes find each session that expires, once together`, async () => {
    const prefix = newPrefix();
    const start = Date.now();
    const [one, other] = await Promise.all([open(at().url, prefix), open(at().url, prefix)]);
    const count = sized(100, 1500, 1_000_000);
    const handles: string[] = [];
    while (handles.length < count) {
      handles.push(
        ...(await Promise.all(
          many(Math.min(500, count - handles.length)).map((i) =>
            createSession(i % 2 ? one : other, { customerId: "c" }, start),
          ),
        )),
      );
    }
    const [renewed = ""] = handles;
    one.renew(await one.find(renewed), start + 30 * MINUTE);
    await associate(one, renewed, { agentId: "a" });
    await Promise.all([one.eventBounds(), other.eventBounds()]);
    let expired = 0;
    let purger = one;
    for (let now = start + 61 * MINUTE, quiet = 0; quiet < 3; now += 2001) {
      const found = await purger.purgeExpired(now);
      expired += found.expired;
      // The process with the lease stops, and the other one continues where it was.
      if (expired > count / 2 && purger === one) {
        await one.close();
        purger = other;
      }
      quiet = found.hasMore ? 0 : quiet + 1;
    }
    assert.equal(expired, count - 1);
    await other.eventBounds();
    const found = histories(await readAll(other));
    assert.equal([...found.values()].filter((types) => types.join() === "created,expired").length, count - 1);
    assert.deepEqual(found.get(renewed), ["created", "agentId"]);
    await other.close();
  });
}

test("on a cluster, sessions expire while the lists of due sessions on one node cannot be used, and the others later", async () => {
  const { url, nodes } = cluster();
  const prefix = newPrefix();
  const start = Date.now();
  const one = await open(url, prefix);
  // One is in each list. They are renewed, so each has to be added to a later list.
  const handles = await Promise.all(many(16).map((i) => createSession(one, { customerId: "c" }, start + i * SLOT_MS)));
  await one.eventBounds();
  const usedAt = (i: number) => start + 20 * MINUTE + i * SLOT_MS;
  for (const [i, handle] of handles.entries()) one.renew(await one.find(handle), usedAt(i));
  const isRenewed = async (handle: string, i: number) => (await one.find(handle)).lastActiveAt === usedAt(i);
  for (const [i, handle] of handles.entries()) await until("renewed", () => isRenewed(handle, i));

  const owner = await cluster().primaryOf(await cluster().slotOf("{fixed}"));
  const node = nodes.slice(0, 3).find((each) => each !== owner);
  assert.ok(node);
  const lists = (await node.command("KEYS", `${prefix}q:*`)) as string[];
  const waiting = (await Promise.all(lists.map((name) => node.command("LRANGE", name, 0, -1)))).flat().length;
  assert.ok(waiting > 0 && waiting < handles.length);
  await node.command("ACL", "SETUSER", "default", "-llen", "-rpush");
  try {
    assert.equal(await purge(one, start + 64 * MINUTE), 0);
    assert.equal(await purge(one, start + 84 * MINUTE), handles.length - waiting);
  } finally {
    await node.command("ACL", "SETUSER", "default", "+@all");
  }
  await one.close();
  const other = await open(url, prefix);
  assert.equal(await purge(other, start + 88 * MINUTE), waiting);
  await other.close();
});

/** Purges from `from` (Unix ms) on until there is nothing to do. Returns how many sessions have expired. */
async function purge(store: StoreEngine, from: number): Promise<number> {
  let expired = 0;
  for (let now = from, quiet = 0; quiet < 3; now += 2001) {
    const found = await store.purgeExpired(now);
    expired += found.expired;
    quiet = found.hasMore ? 0 : quiet + 1;
  }
  return expired;
}

test("the readers of a process are called once for an event of the process itself", async () => {
  const { node, url } = single();
  const store = await open(url, newPrefix());
  let calls = 0;
  const stop = store.onEvents(() => calls++);
  const looks = async () =>
    Number(/cmdstat_hget:calls=(\d+)/.exec(String(await node.command("INFO", "commandstats")))?.[1]);
  await until("the first look has called the reader", () => calls === 1);
  await createSession(store, { customerId: "c" });
  await until("the event has called the reader", () => calls === 2);
  const before = await looks();
  await until("the process has looked again", async () => (await looks()) > before + 10);
  assert.equal(calls, 2);
  stop();
  await store.close();
});

test("notes that a dead process has left become events, once", async () => {
  const prefix = newPrefix();
  const { url, nodes } = topologies["Redis Cluster"]();
  const living = await open(url, prefix);
  const handle = await createSession(living, { customerId: "c" });
  await living.eventBounds();
  // The dead process had ended the session. Another one has appended the event, and has not removed the note yet.
  const text = `${handle}${noteBits.ended},5000,,2,5000,0,1`;
  const [queue = ""] = (await keysAt(nodes, `${prefix}n:*`)).slice(0, 1);
  const tag = queue.slice(-3, -1);
  await onOwner(nodes, ["XADD", queue, "*", "", text]);
  await onOwner(nodes, ["XADD", queue, "*", "", text.replace("5000", "6000")]);
  const [first] = (await onOwner(nodes, ["XRANGE", queue, "-", "+"])) as [string, unknown][];
  await onOwner(nodes, ["HSET", `${prefix}{fixed}event-state`, `note ${tag}`, first?.[0] ?? ""]);
  const sweeper = await open(url, prefix, { purpose: "serve" });
  await eventually(async () => assert.equal(await notesLeft(nodes, prefix), 0));
  const events = await readAll(sweeper);
  assert.deepEqual(
    events.map(({ type, timestamp, session }) => [type, timestamp - session.createdAt]),
    [
      ["session.created", 0],
      ["session.ended", 6000],
    ],
  );
  await Promise.all([living.close(), sweeper.close()]);
});

test("without events, notes are shorter, and nothing else is stored or written", async () => {
  const { node, url } = single();
  const stored = async (eventRetention: number | null) => {
    const prefix = newPrefix();
    const store = await open(url, prefix, { eventRetention });
    const resume = await holdLog([node], prefix);
    // Without events, notes are worked off after half a second, which may be over.
    const { handle, note } = await eventually(async () => {
      const created = await createSession(store, { customerId: "c" });
      const queue = createKeyNames(prefix).notes(created);
      const notes = (await node.command("XRANGE", queue, "-", "+")) as [string, string[]][];
      return { handle: created, note: notes[0] ?? assert.fail("the note is worked off") };
    });
    await resume();
    assert.equal(await store.end({ handle, scope: "everyone", now: Date.now() }), true);
    await store.close();
    const kinds = (await keysAt([node], `${prefix}*`)).map((key) => key.slice(prefix.length).replace(/\{..\}.*/, ""));
    return { note: note[1][1]?.slice(24), kinds: [...new Set(kinds)].toSorted() };
  };
  const off = await stored(null);
  assert.match(off.note ?? "", /^18,0,[\w-]{10}$/);
  assert.deepEqual(off.kinds, ["i:", "n:", "s:", "x:", "{fixed}secrets", "{fixed}state"]);
  const on = await stored(DAY);
  assert.match(on.note ?? "", /^1106,0,[\w-]{10},2,3600000,0,$/);
  assert.deepEqual(
    on.kinds.filter((kind) => !off.kinds.includes(kind)),
    ["q:", "{fixed}event-state", "{fixed}events"],
  );
});

/**
 * Puts a value of another type instead of the log, so that no event can be appended and notes stay. Returns a function that
 * puts the log back.
 */
async function holdLog(nodes: readonly RedisNode[], prefix: string): Promise<() => Promise<void>> {
  const [log, aside] = [`${prefix}{fixed}events`, `${prefix}{fixed}aside`];
  const isBegun = (await keysAt(nodes, log)).length > 0;
  if (isBegun) await onOwner(nodes, ["RENAME", log, aside]);
  await onOwner(nodes, ["SET", log, ""]);
  return async () => {
    await onOwner(nodes, isBegun ? ["RENAME", aside, log] : ["DEL", log]);
  };
}

async function notesLeft(nodes: readonly RedisNode[], prefix: string): Promise<number> {
  let sum = 0;
  for (const node of nodes) {
    for (const name of (await node.command("KEYS", `${prefix}n:*`)) as string[]) {
      sum += Number(await node.command("XLEN", name));
    }
  }
  return sum;
}

/** Sends a command to the node that serves its key, and returns the reply. */
async function onOwner(nodes: readonly RedisNode[], [name = "", ...words]: string[]): Promise<unknown> {
  const results = await Promise.allSettled(nodes.map((node) => node.command(name, ...words)));
  const done = results.find((result) => result.status === "fulfilled");
  assert.ok(done, JSON.stringify(results));
  return done.value;
}
