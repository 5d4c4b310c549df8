// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate, TargetTaken } from "../../src/migrate/migrate.ts";
import type { MigrateOptions, Progress } from "../../src/migrate/options.ts";
import { createTally } from "../../src/migrate/tally.ts";
import { createIdIssuer, type IdIssuer } from "../../src/session/id.ts";
import { newSession } from "../../src/session/lifetime.ts";
import type { Endpoint } from "../../src/session/webhook.ts";
import { type Act, entryAfter } from "../../src/store/audit-chain.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { STORED_RESPONSE_LIFE_MS } from "../../src/store/ports/idempotency.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { queueRemaining } from "../../src/webhooks/queue-remaining.ts";
import { record } from "../store/contract/timeline.ts";
import { DAY, ids, lifetimes, MINUTE, START } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const RETENTION = 14 * DAY;
/** The time of all stores and clocks. It stands still. */
const now = START + MINUTE;

interface Stores extends AsyncDisposable {
  readonly source: StoreEngine;
  readonly target: StoreEngine;
  readonly issuer: IdIssuer;
  run(more?: Partial<MigrateOptions>): ReturnType<typeof migrate>;
}

async function openStores(): Promise<Stores> {
  const [one, other] = [temporaryDirectory(), temporaryDirectory()];
  const [source, target] = [openStore(one.path), openStore(other.path)];
  return {
    source,
    target,
    issuer: createIdIssuer(await source.listSecrets()),
    run: (more = {}) =>
      migrate({
        source,
        queues: more.isAhead ? null : source,
        from: "here",
        target,
        clock: () => now,
        times: { lifetimes, retention: RETENTION, answerLife: STORED_RESPONSE_LIFE_MS },
        isAhead: false,
        onProgress() {},
        signal: new AbortController().signal,
        ...more,
      }),
    async [Symbol.asyncDispose]() {
      await Promise.all([source.close(), target.close()]);
      one.remove();
      other.remove();
    },
  };
}

function openStore(dataDir: string): StoreEngine {
  return openSqliteStore({
    dataDir,
    lifetimes,
    events: unheard,
    maxRecords: 100,
    retention: RETENTION,
    eventRetention: RETENTION,
    cacheSessions: 1000,
    maxPending: 10_000,
    timeout: 30_000,
    now: START,
  });
}

/** Stores `count` sessions, each with a record. */
async function fill({ source, issuer }: Stores, count: number): Promise<void> {
  const create = async (i: number) => {
    const { handle, createdAt } = issuer.issue(START);
    const session = newSession(handle, createdAt, ids({ visitId: `v${i}` }), lifetimes);
    assert.deepEqual(await source.create(session, now), { outcome: "created" });
    assert.ok(source.enqueueRecords(handle, [record(i)], now));
  };
  await Promise.all(Array.from({ length: count }, (_, i) => create(i)));
}

function countsOf(migration: Awaited<ReturnType<typeof migrate>>): Record<string, number> {
  const kinds = migration.comparison?.kinds ?? [];
  return Object.fromEntries(kinds.map(({ kind, target }) => [kind, target.count]));
}

test("everything is copied and compared, and the migration is complete", async () => {
  await using stores = await openStores();
  await fill(stores, 1000);
  const { handle } = stores.issuer.issue(START);
  const session = newSession(handle, START, ids({ customerId: "of data" }), lifetimes);
  const wanted = { kind: "replace", json: '{"step":1}' } as const;
  const request = { handle, scope: "everyone", change: wanted, preconditions: {}, now: START } as const;
  await stores.source.create(session, START);
  assert.equal((await stores.source.changeData(request)).outcome, "changed");
  const seen: Progress[] = [];
  const result = await stores.run({ onProgress: (progress) => seen.push(progress) });
  assert.equal(result.comparison?.isEqual, true);
  assert.deepEqual(countsOf(result), {
    sessions: 1001,
    records: 1000,
    data: 1,
    answers: 0,
    webhooks: 0,
    deliveries: 0,
    keys: 0,
    secrets: 1,
    audit: 0,
  });
  assert.deepEqual([result.resumed, result.leftOut], [false, []]);
  assert.equal(await stores.target.importCursor(), null);
  assert.ok(seen.every(({ done }) => done >= 0 && done <= 1));
  assert.deepEqual(new Set(seen.map(({ phase }) => phase)), new Set(["copying", "comparing"]));
});

test("an interrupted migration continues where it was", async () => {
  await using stores = await openStores();
  await fill(stores, 2000);
  const stopped = new AbortController();
  const onProgress = ({ sessions }: Progress) => {
    if (sessions >= 1000) stopped.abort(new Error("enough"));
  };
  await assert.rejects(stores.run({ onProgress, signal: stopped.signal }), /enough/);
  // Changes of data that are exported before the sessions, such as an audit entry, need no second pass.
  const who = { role: "administrator", credential: null, keyName: null, agentId: null } as const;
  const act = { at: now, who, what: "store.migrate", from: "here", outcome: "begun", details: {} };
  assert.ok(await stores.source.appendAuditEntry(entryAfter(undefined, act as Act)));
  const result = await stores.run();
  assert.equal(result.resumed, true);
  assert.equal(countsOf(result)["audit"], 1);
  assert.ok(result.copied.sessions <= 1000, `${result.copied.sessions} were copied`);
  assert.equal(result.comparison?.isEqual, true);
  assert.equal(countsOf(result)["sessions"], 2000);
});

test("the run after a copy made in advance also copies the changes since then", async () => {
  await using stores = await openStores();
  await fill(stores, 300);
  const ahead = await stores.run({ isAhead: true });
  assert.equal(ahead.comparison, null);
  assert.notEqual(await stores.target.importCursor(), null);
  const { handle, createdAt } = stores.issuer.issue(START);
  await stores.source.create(newSession(handle, createdAt, ids({ customerId: "late" }), lifetimes), now);
  const result = await stores.run();
  assert.equal(result.comparison?.isEqual, true);
  assert.equal(countsOf(result)["sessions"], 301);
  assert.equal((await stores.target.find(handle)).customerId, "late");
});

test("changes to data that an interrupted run has already copied are found and copied", async () => {
  await using stores = await openStores();
  await fill(stores, 1500);
  const first = (await stores.source.exportPage("sessions 0 0", now)).items[0];
  assert.equal(first?.kind, "session");
  const stopped = new AbortController();
  const onProgress = ({ sessions }: Progress) => {
    if (sessions >= 1000) stopped.abort(new Error("enough"));
  };
  await assert.rejects(stores.run({ onProgress, signal: stopped.signal }), /enough/);
  const { handle } = (first as { session: { handle: string } }).session;
  assert.ok(await stores.source.end({ handle, scope: "everyone", now }));
  const result = await stores.run();
  assert.equal(result.comparison?.isEqual, true);
  assert.equal((await stores.target.find(handle)).ended, true);
});

test("a lasting difference is reported, and the migration is not complete", async () => {
  await using stores = await openStores();
  await fill(stores, 10);
  await stores.run({ isAhead: true });
  const { handle, createdAt } = createIdIssuer(await stores.source.listSecrets()).issue(START + 1);
  const stray = newSession(handle, createdAt, ids({ customerId: "stray" }), lifetimes);
  await stores.target.create(stray, now);
  const { comparison } = await stores.run();
  assert.equal(comparison?.isEqual, false);
  const sessions = comparison?.kinds.find(({ kind }) => kind === "sessions");
  assert.deepEqual([sessions?.source.count, sessions?.target.count], [10, 11]);
  const others = comparison?.kinds.filter(({ kind }) => kind !== "sessions") ?? [];
  assert.ok(others.every(({ isEqual }) => isEqual));
  assert.notEqual(await stores.target.importCursor(), null);
});

test("different content is found even if the counts are equal", async () => {
  await using stores = await openStores();
  await fill(stores, 10);
  await stores.run({ isAhead: true });
  const { items } = await stores.target.exportPage("sessions 0 0", now);
  const [item] = items.filter((one) => one.kind === "session");
  assert.ok(item !== undefined && (await stores.target.end({ handle: item.session.handle, scope: "everyone", now })));
  const { comparison } = await stores.run();
  const sessions = comparison?.kinds.find(({ kind }) => kind === "sessions");
  assert.deepEqual([sessions?.source.count, sessions?.target.count], [10, 10]);
  assert.equal(sessions?.isEqual, false);
});

test("the checksum of a session differs for each of its texts and for its generation", () => {
  const { handle, createdAt } = createIdIssuer([{ bytes: new Uint8Array(32), createdAt: 0 }]).issue(START);
  const session = newSession(handle, createdAt, ids({ customerId: "c" }), lifetimes);
  const times = { lifetimes, retention: RETENTION, answerLife: STORED_RESPONSE_LIFE_MS };
  const changes = [{}, { customerId: "d" }, { visitId: "c" }, { generation: 1 }, { profile: "c" }, { label: "c" }];
  const checksums = changes.map((change) => {
    const tally = createTally(times);
    tally.add({ kind: "session", session: { ...session, ...change }, associations: [], requests: 0 });
    return tally.sum("sessions", START).checksum;
  });
  assert.equal(new Set(checksums).size, changes.length);
});

test("a target that is not empty, or that another migration has begun to fill, is refused", async () => {
  await using stores = await openStores();
  await fill(stores, 10);
  const { handle, createdAt } = stores.issuer.issue(START);
  const stray = newSession(handle, createdAt, ids({ customerId: "stray" }), lifetimes);
  await stores.target.create(stray, now);
  await assert.rejects(stores.run(), TargetTaken);
  await using others = await openStores();
  await fill(others, 10);
  await others.run({ isAhead: true });
  await assert.rejects(others.run({ from: "elsewhere" }), /a move of here into it has begun/);
});

test("what happened before a migration is delivered after it, and nothing twice", async () => {
  await using stores = await openStores();
  const { source, target } = stores;
  await source.addEndpoint(endpoint("wh_all"));
  await source.addEndpoint({ ...endpoint("wh_some"), types: ["session.ended"] });
  await source.addEndpoint({ ...endpoint("wh_off"), isEnabled: false });
  await fill(stores, 300);
  const queued = async (id: string) =>
    (await target.listDeliveries({ endpointId: id, state: null, before: null, limit: 1000 })).deliveries.map(
      ({ eventId }) => eventId,
    );
  await stores.run({ isAhead: true });
  assert.equal((await queued("wh_all")).length, 0, "the servers of the source queue its events");
  const result = await stores.run();
  assert.equal(result.comparison?.isEqual, true);
  const events = await queued("wh_all");
  assert.equal(new Set(events).size, 300);
  assert.deepEqual([await queued("wh_some"), await queued("wh_off")], [[], []]);

  // On the target the endpoints continue with its own log.
  const { handle, createdAt } = stores.issuer.issue(START);
  await target.create(newSession(handle, createdAt, ids({ customerId: "new" }), lifetimes), now);
  await queueRemaining(target, () => now, new AbortController().signal);
  assert.equal((await queued("wh_all")).length, 301);
});

function endpoint(id: string): Endpoint {
  return {
    ...{ id, url: "https://receiver.example/", types: null, description: null, isEnabled: true, disabledReason: null },
    ...{ createdAt: START, updatedAt: START, revision: 1, epoch: 1, startAfter: null },
    secrets: [{ secret: "whsec_AAAA", createdAt: START, expiresAt: null }],
  };
}
