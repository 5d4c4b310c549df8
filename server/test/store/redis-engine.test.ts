// runs: once

import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { anySession } from "../../src/session/filter.ts";
import type { Session } from "../../src/session/session.ts";
import { noTraits } from "../../src/session/traits.ts";
import type { StoreEngine } from "../../src/store/ports/engine.ts";
import { NodeConnection } from "../../src/store/redis/connection/node-connection.ts";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { decode, encode } from "../../src/store/redis/layout/session-codec.ts";
import { scripts } from "../../src/store/redis/scripts/scripts.ts";
import { claimLife } from "../../src/store/redis/sessions/visit-claim.ts";
import { eventually } from "../support/eventually.ts";
import { draft } from "../support/redis/changes.ts";
import { type SingleRedis, startSingleRedis } from "../support/redis/single.ts";
import { collectStores } from "../support/redis/store.ts";
import { HOUR, ids, lifetimes } from "../support/sessions.ts";
import { unheard } from "../support/store-events.ts";
import { record } from "./contract/timeline.ts";

const keys = createKeyNames("ac:");
const conflict = { outcome: "conflict", field: "visitId" };
const created = { outcome: "created" };

function endSession(store: StoreEngine, handle: string) {
  return store.end({ handle, scope: "everyone", now: Date.now() });
}

let redis: SingleRedis;
before(async () => {
  redis = await startSingleRedis();
});

const { open, closeAll } = collectStores();
after(async () => {
  await closeAll();
  await redis[Symbol.asyncDispose]();
});

/** Claims a visit for a session and never writes the session, as if the process had died. Returns the nonce. */
async function claimAndDie(visitId: string, session: Session, age: number): Promise<string> {
  const nonce = "deadbeef";
  const life = claimLife(Math.max(lifetimes.anonymous.total, lifetimes.recognized.total)) - age;
  await redis.node.command("SET", keys.visit(visitId), `${session.handle} ${nonce}`, "PX", life);
  return nonce;
}

test("a contender takes over the visit of a process that died while claiming it, at once if the claim is old", async () => {
  const store = await open(redis.url);
  const claims: number[] = [];
  for (const age of [60_000, 0]) {
    const visitId = `dead ${age}`;
    const dead = draft({ visitId });
    const nonce = await claimAndDie(visitId, dead, age);
    const sent = await allSentBy(async () => {
      assert.deepEqual(await store.create(draft({ visitId }), Date.now()), created);
    });
    const tried = sent.filter(([name, , , key]) => name !== "set" && key === keys.visit(visitId));
    claims.push(tried.length);
    assert.deepEqual(await store.create(draft({ visitId }), Date.now()), conflict);

    // If the claiming process was not dead but only delayed, it writes now.
    const names = [keys.session(dead.handle), keys.fence(dead.handle, nonce)];
    const words = [encode(dead), 60_000, 60_000];
    const late = await redis.node.command("EVAL", scripts.createSession.source, 2, ...names, ...words);
    assert.equal(late, "fenced");
  }
  const [old = 0, fresh = 0] = claims;
  assert.ok(old < fresh, `${old} attempts for the old one, ${fresh} for the new one`);
});

test("the claim of a visit is kept as long as the longest profile lets its session live", async () => {
  const total = 90 * 24 * HOUR;
  const profiles = new Map([["remember", { idle: total, total }]]);
  const store = await open(redis.url, { lifetimes: { ...lifetimes, profiles } });
  const session = { ...draft({ visitId: "remembered" }), profile: "remember" };
  await store.create(session, Date.now());
  assert.ok(Number(await redis.node.command("PTTL", keys.visit("remembered"))) > total);
});

test("a session that is being erased shows neither ids nor profile nor label", () => {
  const session = { ...draft({ customerId: "c" }), profile: "remember", label: "Phone" };
  const text = encode(session).replace(/^(\d+\n\d+\n)/, "$1g");
  assert.deepEqual(decode(session.handle, text), { ...session, ...ids({}), ...noTraits, ended: true });
});

test("a late copy of a refused command does nothing, even if the visit is free", async () => {
  const store = await open(redis.url);
  const holder = draft({ visitId: "late" });
  assert.deepEqual(await store.create(holder, Date.now()), created);
  const { handle } = draft({});
  const ask = ids({ visitId: "late" });
  const request = { handle, generation: 0, ids: ask, scope: "everyone", now: Date.now() } as const;
  const associating = await sentBy(async () => {
    assert.deepEqual(await store.associate(request), conflict);
  });
  const other = draft({ visitId: "late" });
  const creating = await sentBy(async () => {
    assert.deepEqual(await store.create(other, Date.now()), conflict);
  });
  await endSession(store, holder.handle);
  for (const [name = "", ...words] of [associating, creating]) {
    await redis.node.command(name, ...words);
  }
  for (const one of [handle, other.handle]) {
    assert.equal((await store.find(one)).visitId, null);
    assert.equal(await redis.node.command("EXISTS", keys.session(one)), 0);
  }
  // A new request makes a new attempt with another nonce, which is not fenced.
  assert.equal((await store.associate(request)).outcome, "associated");
});

test("a rotation that is sent twice rotates once, and both times returns the session", async () => {
  const store = await open(redis.url);
  const session = draft({ visitId: "rotated" });
  await store.create(session, Date.now());
  const request = { ...session, ids: ids({ customerId: "c" }), scope: "everyone", now: Date.now() } as const;
  const [name = "", ...words] = await sentBy(async () => {
    assert.equal((await store.associate({ ...request, rotate: true })).outcome, "associated");
  });
  const stored = await redis.node.command("GET", keys.session(session.handle));
  const [, again] = (await redis.node.command(name, ...words)) as [string, string[]];
  assert.deepEqual(again, ["associated", stored, null], "it writes no second note");
  assert.equal(await redis.node.command("GET", keys.session(session.handle)), stored);
  assert.equal((await store.find(session.handle)).generation, 1);
});

test("a late copy of a refused rotation does nothing, even if its session got the visit from another request", async () => {
  const store = await open(redis.url);
  const holder = draft({ visitId: "elsewhere" });
  await store.create(holder, Date.now());
  const session = draft({ customerId: "c" });
  await store.create(session, Date.now());
  const request = { ...session, ids: ids({ visitId: "elsewhere" }), scope: "everyone", now: Date.now() } as const;
  const [name = "", ...words] = await sentBy(async () => {
    assert.deepEqual(await store.associate({ ...request, rotate: true }), conflict);
  });
  await endSession(store, holder.handle);
  assert.equal((await store.associate(request)).outcome, "associated");
  await redis.node.command(name, ...words);
  assert.equal((await store.find(session.handle)).generation, 0);
});

test("a session whose visit was given to another by a process with a faster clock has expired for all processes", async () => {
  const [store, ahead] = await Promise.all([open(redis.url), open(redis.url)]);
  const now = Date.now();
  const session = draft({ visitId: "faster clock" });
  await store.create(session, now);
  assert.deepEqual(await ahead.create(draft({ visitId: "faster clock" }), session.expiresAt + 1), created);
  assert.ok((await store.find(session.handle)).expiresAt <= Date.now());
});

test("the next request with an idempotency key completes a pending request whose process died, in time for any timeout", async () => {
  const store = await eventually(() => open(redis.url, { timeout: 900 }));
  const first = draft({ customerId: "first" });
  const need = `${first.handle}\n${encode(first)}`;
  const fields = ["r", "request", "a", "answer", "t", Date.now(), "c", first.handle, "n", need, "o", "x"];
  await redis.node.command("HSET", keys.response("key"), ...fields);
  const once = { key: "key", fingerprint: "request", response: "second answer" };
  // On a busy machine an attempt can take longer than the timeout.
  const result = await eventually(() => store.create(draft({ customerId: "second" }), Date.now(), once));
  assert.deepEqual(result, { outcome: "repeated", response: "answer" });
  assert.deepEqual(await store.find(first.handle), first);
});

test("an idempotent change whose reservation cannot be completed is reported as made, and completed by a repetition", async () => {
  const store = await open(redis.url);
  const session = draft({ customerId: "c", visitId: "unsettled" });
  const idempotent = { key: "unsettled", fingerprint: "request", response: "answer" };
  // Without this right, Redis carries out the reservation and the change, but not the completion.
  await redis.node.command("ACL", "SETUSER", "default", "-hdel");
  try {
    assert.deepEqual(await store.create(session, Date.now(), idempotent), created);
  } finally {
    await redis.node.command("ACL", "SETUSER", "default", "+hdel");
  }
  assert.deepEqual(await store.find(session.handle), session);
  assert.equal(await redis.node.command("HEXISTS", keys.response("unsettled"), "n"), 1, "the control: it is pending");
  const again = await store.create(draft({ customerId: "c" }), Date.now(), idempotent);
  assert.deepEqual(again, { outcome: "repeated", response: "answer" });
  assert.equal(await redis.node.command("HEXISTS", keys.response("unsettled"), "n"), 0);
});

for (const isRotated of [true, false]) {
  test(`a pending rotation whose process died ${isRotated ? "after" : "before"} it rotated is completed once`, async () => {
    const store = await open(redis.url);
    const session = draft({ customerId: "c" });
    const { handle } = session;
    await store.create(session, Date.now());
    if (isRotated) {
      const text = encode({ ...session, generation: 1 }, [{ at: Date.now(), after: 0, fields: [], isRotation: true }]);
      await redis.node.command("SET", keys.session(handle), `${text} deadbeef`, "PX", HOUR);
    }
    const key = `pending ${isRotated}`;
    const fields = ["r", "request", "a", "new id", "t", Date.now(), "i", handle, "n", "0 deadbeef", "o", "x"];
    await redis.node.command("HSET", keys.response(key), ...fields);
    const idempotent = { key, fingerprint: "request", response: "other id" };
    const repeated = { outcome: "repeated", response: "new id" };
    assert.deepEqual(await store.findReplay(idempotent, Date.now()), isRotated ? repeated : undefined);
    const request = { ...session, ids: ids({}), scope: "everyone", now: Date.now(), idempotent } as const;
    assert.deepEqual(await store.associate({ ...request, rotate: true }), repeated);
    assert.equal((await store.find(handle)).generation, 1);
    assert.deepEqual(await store.associate({ ...request, rotate: true }), repeated);
    assert.equal((await store.find(handle)).generation, 1);
    assert.equal((await store.listStoredResponses(handle, Date.now())).length, 1);
    await store.eraseSessions([handle], Date.now());
    assert.equal(await redis.node.command("EXISTS", keys.response(key)), 0, "erased with the session");
  });
}

test("replays and reused idempotency keys store nothing", async () => {
  const prefix = "repeated:";
  const store = await open(redis.url, { prefix });
  const names = async () => ((await redis.node.command("KEYS", `${prefix}*`)) as string[]).length;
  const now = Date.now();
  const session = draft({ customerId: "c" });
  const createOnce = (request: string) =>
    store.create(draft({ customerId: "c" }), now, {
      key: "created",
      fingerprint: request,
      response: "a",
    });
  const recording = (handle: string, request: string) =>
    store.storeRecords({
      handle,
      records: [record(1)],
      now,
      idempotent: { key: "recorded", fingerprint: request, response: "a" },
    });
  await store.create(session, now);
  assert.equal((await createOnce("r")).outcome, "created");
  assert.equal((await recording(session.handle, "r")).outcome, "recorded");
  const namesBefore = await names();
  const times = Array.from({ length: 50 });
  for (const { outcome } of await Promise.all(times.map(() => createOnce("r")))) assert.equal(outcome, "repeated");
  for (const { outcome } of await Promise.all(times.map(() => createOnce("other"))))
    assert.equal(outcome, "key-reused");
  for (const { outcome } of await Promise.all(times.map(() => recording(draft({}).handle, "other"))))
    assert.equal(outcome, "key-reused");
  assert.equal(await names(), namesBefore);
});

test("scripts that Redis has forgotten are sent again", async () => {
  const store = await open(redis.url);
  await store.create(draft({ visitId: "before" }), Date.now());
  await redis.node.command("SCRIPT", "FLUSH");
  assert.deepEqual(await store.create(draft({ visitId: "after" }), Date.now()), created);
  assert.deepEqual(await store.create(draft({ visitId: "before" }), Date.now()), conflict);
});

test("all keys expire except the state, the secrets and empty queues of notes", async () => {
  const store = await open(redis.url);
  const session = draft({ customerId: "c", visitId: "goes" });
  const once = { key: "goes", fingerprint: "r", response: "a" };
  await store.create(session, Date.now(), once);
  await store.storeRecords({ handle: session.handle, records: [record(1)], now: Date.now() });
  await store.storeRecords({
    handle: draft({}).handle,
    records: [record(1)],
    now: Date.now(),
  });
  await endSession(store, session.handle);
  // A reader works off the notes of all stores, so also those of the tests before.
  await store.listSessions({ filter: anySession, after: null, limit: 1, now: Date.now() });
  await store.close();
  const names = (await redis.node.command("KEYS", "ac:*")) as string[];
  const permanent: string[] = [];
  for (const name of names) {
    // Keys of Redis that these tests wrote themselves do not expire.
    if (name.startsWith("ac:v:{") || name.startsWith("ac:a:key")) continue;
    if (name.startsWith("ac:n:")) assert.equal(await redis.node.command("XLEN", name), 0, "nothing is left to do");
    else if (Number(await redis.node.command("PTTL", name)) < 0) permanent.push(name);
  }
  assert.deepEqual(permanent.toSorted(), ["ac:{fixed}secrets", "ac:{fixed}state"]);
});

test("a process that dies between two commands of an idempotent request leaves no idempotency key forever", async () => {
  const prefix = "dies:";
  const names = createKeyNames(prefix);
  const store = await open(redis.url, { prefix });
  const once = (key: string) => ({ key, fingerprint: "r", response: "a" });
  const session = draft({ customerId: "c" });
  const { handle } = session;
  const requests = {
    created: () => store.create(session, Date.now(), once("created")),
    recorded: () => store.storeRecords({ handle, records: [record(1)], now: Date.now(), idempotent: once("recorded") }),
    rotated: () => {
      const request = { handle, generation: 0, ids: ids({}), scope: "everyone", now: Date.now() } as const;
      return store.associate({ ...request, rotate: true, idempotent: once("rotated") });
    },
  };
  for (const [key, send] of Object.entries(requests)) {
    const responses = [names.response(key), names.responsesAbout(handle)];
    const sent = await allSentBy(async () => void (await send()));
    const steps = sent.filter((words) => responses.some((name) => words.includes(name)));
    assert.ok(steps.length > 1, key);
    await redis.node.command("DEL", ...responses);
    // Sends one command after the other, as if the process had died after each.
    for (const [name = "", ...words] of steps) {
      await redis.node.command(name, ...words);
      // -2: there is no such key; -1: the key never expires.
      for (const each of responses)
        assert.notEqual(await redis.node.command("PTTL", each), -1, `${name} leaves ${each}`);
    }
    for (const each of responses) assert.equal(await redis.node.command("EXISTS", each), 1, "the control");
  }
});

test("a process learns soon that another one has changed API keys or secrets", async () => {
  let changes = 0;
  const events = { ...unheard, credentialsChanged: () => void changes++ };
  await open(redis.url, { events });
  const other = await open(redis.url);
  await other.addSecret({ bytes: new Uint8Array(32).fill(1), createdAt: Date.now() });
  await eventually(async () => assert.equal(changes, 1));
});

test("a change of API keys or secrets is reported again until the process has read it", async () => {
  let reports = 0;
  const credentialsChanged = () => (++reports < 4 ? Promise.reject(new Error("cannot read")) : Promise.resolve());
  await open(redis.url, { events: { ...unheard, credentialsChanged } });
  const other = await open(redis.url);
  await other.addSecret({ bytes: new Uint8Array(32).fill(2), createdAt: Date.now() });
  await eventually(async () => assert.equal(reports, 4));
  // A change that was read is not reported again, so the next report is for the next change.
  await other.addSecret({ bytes: new Uint8Array(32).fill(3), createdAt: Date.now() });
  await eventually(async () => assert.equal(reports, 5));
});

test("an operation takes as few commands as documented", async () => {
  const prefix = `${randomUUID().slice(0, 8)}:`;
  const store = await open(redis.url, { prefix });
  const session = draft({ customerId: "c", visitId: "v" });
  const given = { handle: session.handle, generation: 0, scope: "everyone", now: Date.now() } as const;
  const operations: [string, () => Promise<unknown>, number][] = [
    ["create", () => store.create(session, Date.now()), 1],
    // The session is young, so that a record may be set aside for it.
    ["retrieve", async () => store.find(session.handle), 1],
    ["repeat an association", () => store.associate({ ...given, ids: ids({ visitId: "v" }) }), 1],
    ["add an id", () => store.associate({ ...given, ids: ids({ agentId: "a" }) }), 1],
    [
      "associate a visit with a new session",
      () => store.associate({ ...given, handle: draft({}).handle, ids: ids({ visitId: "w2" }) }),
      1,
    ],
    ["rotate an id", () => store.associate({ ...given, ids: ids({ globalVisitId: "g" }), rotate: true }), 1],
    ["record", () => store.storeRecords({ handle: session.handle, records: [record(1)], now: Date.now() }), 1],
    ["read a timeline", () => store.readRecordPage({ ...given, generation: 1, after: 0, limit: 9 }), 1],
    // The second command releases the claim on the ended session's visit.
    ["end", () => endSession(store, session.handle), 2],
  ];
  // Loads the scripts, so that no operation below sends a further command for that.
  const warm = draft({ customerId: "w", visitId: "w" });
  await store.create(warm, Date.now());
  await store.associate({ ...given, handle: warm.handle, ids: ids({ agentId: "a" }) });
  await store.storeRecords({ handle: warm.handle, records: [record(1)], now: Date.now() });
  await store.readRecordPage({ ...given, handle: warm.handle, after: 0, limit: 9 });
  await endSession(store, warm.handle);
  for (const [name, run, expected] of operations) {
    const sent = await allSentBy(async () => void (await run()));
    // Commands of scripts, heartbeats and other stores do not count.
    const own = name === "retrieve" ? "mget" : "evalsha";
    const commands = sent.filter(
      (words) =>
        words[0] === own && words.some((word) => word.startsWith(prefix)) && !words.includes(`${prefix}{fixed}state`),
    );
    assert.equal(commands.length, expected, `${name}: ${JSON.stringify(commands)}`);
  }
});

/** Returns the first command that runs a script during `work`. */
async function sentBy(work: () => Promise<void>): Promise<string[]> {
  const sent = await allSentBy(work);
  // Heartbeats of the stores come in between.
  const isHeartbeat = (words: readonly string[]) => words.includes(keys.state);
  const found = sent.find((words) => /^eval/i.test(words[0] ?? "") && Number(words[2]) > 3 && !isHeartbeat(words));
  assert.ok(found);
  return found;
}

/** Returns the commands that this process sends during `work`. */
async function allSentBy(work: () => Promise<void>): Promise<string[][]> {
  const sent: string[][] = [];
  const { send } = NodeConnection.prototype;
  NodeConnection.prototype.send = function (command) {
    sent.push(command.words.map(String));
    send.call(this, command);
  };
  try {
    await work();
  } finally {
    NodeConnection.prototype.send = send;
  }
  return sent;
}
