import assert from "node:assert/strict";
import { test } from "node:test";
import { anySession, isMatch, type SessionFilter } from "../../../src/session/filter.ts";
import { isHandle } from "../../../src/session/id.ts";
import type { Session } from "../../../src/session/session.ts";
import type { ListRequest, SessionPage } from "../../../src/store/ports/search.ts";
import { HOUR, MINUTE } from "../../support/sessions.ts";
import { compact, enqueue, record } from "./timeline.ts";
import { type DataFactory, openWorld, purgeAll, RETENTION, type World } from "./world.ts";

function listPage(
  world: World,
  given: Partial<SessionFilter>,
  more: Partial<Pick<ListRequest, "after" | "limit" | "includePurgeable">> = {},
): Promise<SessionPage> {
  const filter = { ...anySession, ...given };
  return world.store.listSessions({ filter, after: null, limit: 100, now: world.now, ...more });
}

/** Returns all matching sessions, page by page. */
async function listAll(world: World, given: Partial<SessionFilter>, limit = 100): Promise<readonly Session[]> {
  const found: Session[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const { sessions, next } = await listPage(world, given, { after: after ?? null, limit });
    assert.ok(sessions.length <= limit);
    assert.ok(next === null || isHandle(next), "a cursor is no id");
    found.push(...sessions);
    after = next;
  }
  return found;
}

/** Creates one session of each kind, one a second. Returns them in their present state, newest first. */
async function fill(world: World): Promise<Session[]> {
  const made: string[] = [];
  const customers = ["anna", "é😀", null];
  for (let i = 0; i < 60; i++) {
    world.now += 1000;
    const customerId = customers[i % 3] ?? null;
    const agentId = i % 5 === 0 ? "agent" : null;
    const { handle } = await world.create({ customerId, agentId, visitId: `visit ${i}` });
    if (i % 4 === 0) await world.associate(handle, { globalVisitId: `global ${i % 8}` });
    made.push(handle);
  }
  world.now += 1000;
  for (const [i, handle] of made.entries()) if (i % 7 === 0) await world.end(handle);
  const found = await Promise.all(made.toReversed().map(async (handle) => world.store.find(handle)));
  return found;
}

const filters: readonly Partial<SessionFilter>[] = [
  {},
  { customerId: "anna" },
  { customerId: "é😀", live: true },
  { agentId: "agent", state: "recognized" },
  { globalVisitId: "global 4" },
  { visitId: "visit 7" },
  { visitId: "visit 14", live: false },
  { customerId: "anna", agentId: "agent" },
  { customerId: "nobody" },
  { state: "anonymous" },
  { live: false },
];

/** Tests the port `search`: finding sessions by ids, state and time. */
export function searchContract(name: string, make: DataFactory): void {
  test(`${name}: matching sessions are listed newest first, with any page size`, async () => {
    await using world = await openWorld(make);
    const all = await fill(world);
    const [first, last] = [all.at(-1) as Session, all[0] as Session];
    const middle = { since: first.createdAt + 10_000, until: last.createdAt - 10_000 };
    const { handle } = all[11] as Session;
    const more = [
      ...[middle, { ...middle, customerId: "anna" }, { handle }, { handle, customerId: "anna" }],
      ...[{ handle, until: first.createdAt }, { handle: world.newHandle() }, { activeSince: middle.until }],
    ];
    for (const when of ["at once", "after a restart", "compacted"]) {
      for (const given of [...filters, ...more]) {
        const expected = all.filter((one) => isMatch(one, { ...anySession, ...given }, world.now));
        for (const limit of [1, 7, 1000]) {
          assert.deepEqual(await listAll(world, given, limit), expected, `${when}: ${limit}`);
        }
      }
      if (when === "at once") await world.reopen();
      if (when === "after a restart") await compact(world);
    }
  });

  test(`${name}: sessions that are created or purged between two pages do not shift the others`, async () => {
    await using world = await openWorld(make);
    const all = await fill(world);
    const first = await listPage(world, {}, { limit: 20 });
    world.now += 1000;
    for (let i = 0; i < 5; i++) await world.create({ customerId: "late" });
    const [shown, hidden] = [all[5] as Session, all[25] as Session];
    await world.store.eraseSessions([shown.handle, hidden.handle], world.now);
    const second = await listPage(world, {}, { after: first.next, limit: 20 });
    const ids = [...first.sessions, ...second.sessions].map(({ handle }) => handle);
    const expected = all.slice(0, 41).map(({ handle }) => handle);
    assert.deepEqual(
      ids,
      expected.filter((handle) => handle !== hidden.handle),
    );
  });

  test(`${name}: a filter by one id, and an empty filter, return the total`, async () => {
    await using world = await openWorld(make);
    const all = await fill(world);
    const total = async (given: Partial<SessionFilter>) => (await listPage(world, given)).total;
    for (const when of ["at once", "after a restart"]) {
      assert.equal(await total({}), all.length, when);
      for (const given of [{ customerId: "anna" }, { agentId: "agent" }, { visitId: "visit 14" }]) {
        const expected = all.filter((one) => isMatch(one, { ...anySession, ...given }, world.now));
        assert.equal(await total(given), expected.length, when);
      }
      assert.equal(await total({ customerId: "nobody" }), 0);
      assert.equal(await total({ customerId: "anna", live: true }), null);
      await world.reopen();
    }
    await world.store.eraseSessions([(all[0] as Session).handle], world.now);
    world.now += 72 * HOUR + RETENTION;
    await purgeAll(world);
    assert.deepEqual([await total({}), await total({ customerId: "anna" })], [0, 0]);
  });

  test(`${name}: ended and expired sessions are listed until the retention is over`, async () => {
    await using world = await openWorld(make);
    const ended = await world.create({ customerId: "anna" });
    // Handles of the same millisecond have a random order if the store chooses their shard by the visit.
    world.now++;
    const expired = await world.create({ customerId: "anna", visitId: "v" });
    assert.ok(await world.end(ended.handle));
    world.now = expired.expiresAt;
    const found = async () => (await listAll(world, { customerId: "anna" })).map(({ handle }) => handle);
    assert.deepEqual(await found(), [expired.handle, ended.handle]);
    assert.deepEqual(await listAll(world, { customerId: "anna", live: true }), []);
    world.now = expired.createdAt + RETENTION;
    assert.deepEqual(await found(), [expired.handle], "over, and not purged");
    await purgeAll(world);
    assert.deepEqual(await found(), [expired.handle]);
    world.now = expired.expiresAt + RETENTION;
    assert.deepEqual(await found(), []);
    const listed = await listPage(world, { customerId: "anna" }, { includePurgeable: true });
    // The ended session may be purged already or not: each engine decides when it purges.
    assert.ok(listed.sessions.some(({ handle }) => handle === expired.handle));
  });

  test(`${name}: implicit sessions are listed if they are live and were renewed, or if they have records`, async () => {
    await using world = await openWorld(make);
    const [unknown, renewed, ended, recorded] = [
      world.newHandle(),
      world.newHandle(),
      world.newHandle(),
      world.newHandle(),
    ];
    enqueue(world, recorded, [record(1)]);
    await compact(world);
    world.now += 10 * MINUTE;
    world.store.renew(await world.store.find(renewed), world.now);
    assert.ok(await world.end(ended));
    const found = async () => new Set((await listAll(world, {})).map(({ handle }) => handle));
    assert.deepEqual(await found(), new Set([renewed, recorded]));
    world.now += 2 * HOUR;
    assert.deepEqual(await found(), new Set([recorded]));
    assert.ok(unknown !== "");
  });
}
