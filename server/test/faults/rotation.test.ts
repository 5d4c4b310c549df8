// runs: faults
// needs: strace

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, sessionOf } from "../support/api.ts";
import { type Caller, createCaller, NoResponse } from "../support/caller.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { startRedisCluster } from "../support/redis/cluster.ts";
import { type ServerProcess, spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { startServices } from "./services.ts";
import { openStoredData } from "./stored-data.ts";
import { killAtCall } from "./strace.ts";

/*
 * Whatever is killed during rotations, exactly one id opens a session afterwards: the newest one that was acknowledged
 * or, if the last request had no response, the one that its repetition gets under the same idempotency key.
 */

const VISITORS = 24;
const ROUNDS = long ? 300 : 3;
const LAST = long ? 100 : 3;
/** A visitor rotates at most this often, so that none reaches the limit of a session. */
const MOST_ROTATIONS = 200;
const env = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

/** Somebody whose session gets a new id again and again. */
interface Visitor {
  readonly customerId: string;
  /** All ids that the session has had, as far as the visitor knows; the newest last. */
  readonly ids: string[];
  /** Idempotency key of the request that has no response yet. */
  pending: string | undefined;
}

const newest = ({ ids }: Visitor) => ids.at(-1) ?? "";

async function newVisitor(caller: Caller): Promise<Visitor> {
  const { sessionId } = sessionOf(await caller.create());
  return { customerId: randomUUID(), ids: [sessionId], pending: undefined };
}

/** Rotates once, or repeats the rotation that has no response yet. */
async function rotate(caller: Caller, visitor: Visitor): Promise<void> {
  visitor.pending ??= randomUUID();
  for (;;) {
    const { customerId, pending } = visitor;
    const answer = await caller.rotate(newest(visitor), { customerId }, pending);
    // A process that was killed may have left the request unfinished for others to complete.
    if (answer.status === 409 || answer.status === 503) {
      await delay(50);
      continue;
    }
    visitor.ids.push(sessionOf(answer).sessionId);
    visitor.pending = undefined;
    return;
  }
}

/** Rotates until the server is gone. */
async function rotateUntilGone(caller: Caller, visitor: Visitor): Promise<void> {
  try {
    while (visitor.ids.length < MOST_ROTATIONS) await rotate(caller, visitor);
  } catch (error) {
    if (!(error instanceof NoResponse)) throw error;
  }
}

/** Returns whether the id opens the visitor's session, so that it can be changed. */
async function opens(caller: Caller, { customerId }: Visitor, id: string): Promise<boolean> {
  const answer: Answer = await caller.associate(id, { customerId });
  assert.ok(answer.status === 200 || answer.status === 404, answer.text);
  return answer.status === 200;
}

/** Asserts that exactly one id of each visitor opens the session, after the last request was repeated if necessary. */
async function verify(caller: Caller, visitors: readonly Visitor[]): Promise<{ readonly repeated: number }> {
  let repeated = 0;
  const verifyOne = async (visitor: Visitor) => {
    if (visitor.pending !== undefined) {
      repeated++;
      await rotate(caller, visitor);
    }
    assert.ok(await opens(caller, visitor, newest(visitor)), "the newest id does not open the session");
    // Beside the last ones only the first is checked: the others are retired by all of these.
    for (const id of [visitor.ids[0], ...visitor.ids.slice(-4)].slice(0, -1)) {
      assert.ok(id === newest(visitor) || !(await opens(caller, visitor, id ?? "")), "a retired id opens the session");
    }
    const session = sessionOf(await caller.retrieve(newest(visitor)));
    assert.deepEqual([session.sessionId, session.customerId], [newest(visitor), visitor.customerId]);
  };
  await Promise.all(visitors.map(verifyOne));
  return { repeated };
}

/** Lets new visitors rotate until the server is gone, and returns them. */
async function rotateUnder(server: ServerProcess, kill?: () => Promise<unknown>): Promise<Visitor[]> {
  using caller = createCaller(server.url);
  const visitors = await Promise.all(Array.from({ length: VISITORS }, () => newVisitor(caller))).catch((error) => {
    if (!(error instanceof NoResponse)) throw error;
    return [];
  });
  await Promise.all([...visitors.map((visitor) => rotateUntilGone(caller, visitor)), kill?.()]);
  return visitors;
}

async function verifyAfterRestart(dataDir: string, visitors: readonly Visitor[]) {
  await using server = await startServer({ dataDir, env });
  using stored = openStoredData(dataDir);
  assert.deepEqual(stored.integrity(), ["ok"]);
  using caller = createCaller(server.url);
  return await verify(caller, visitors);
}

test(`after each of ${ROUNDS} kills during rotations, one id opens each session`, async () => {
  const random: Random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  let repeated = 0;
  let rotations = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await startServer({ dataDir: directory.path, env });
    const visitors = await rotateUnder(server, async () => {
      await delay(random.between(20, 300));
      await server.kill("SIGKILL");
    });
    rotations += visitors.reduce((sum, { ids }) => sum + ids.length - 1, 0);
    repeated += (await verifyAfterRestart(directory.path, visitors)).repeated;
  }
  console.log(`${rotations} rotations acknowledged, ${repeated} repeated after a kill`);
  assert.ok(rotations > 0 && repeated > 0, "too little happened");
});

for (const calls of ["pwrite64", "fsync,fdatasync"]) {
  test(`after a kill at each of ${LAST} ${calls} calls with rotations, one id opens each session`, async () => {
    await using directory = temporaryDirectory();
    await using log = temporaryDirectory();
    // The calls that create the data, and the first ones of each start, are those of `kill-at-call.test.ts`.
    await using first = await startServer({ dataDir: directory.path, env });
    await first.kill();
    let killed = 0;
    for (let count = 8; killed < LAST; count += killed === 0 ? 8 : 1) {
      const wrapper = killAtCall(calls, count, join(log.path, "strace"));
      await using server = spawnServer({ dataDir: directory.path, env, wrapper });
      const isReady = await server.ready.then(
        () => true,
        () => false,
      );
      const visitors = isReady ? await rotateUnder(server) : [];
      assert.equal((await server.exited).signal, "SIGKILL", server.stderr());
      if (visitors.length === 0) continue;
      killed++;
      await verifyAfterRestart(directory.path, visitors);
    }
  });
}

test("over Redis too: one process is killed during rotations, and another repeats what was lost", async () => {
  await using cluster = await startRedisCluster();
  await using survivors = await startServices(cluster.url, ["bun", "node"]);
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  let repeated = 0;
  for (let round = 0; round < ROUNDS / 2; round++) {
    await using victims = await startServices(cluster.url, ["bun"]);
    const [victim] = victims.servers;
    assert.ok(victim);
    const visitors = await rotateUnder(victim, async () => {
      await delay(random.between(20, 300));
      await victim.kill("SIGKILL");
    });
    const [first, second] = survivors.callers;
    assert.ok(first && second);
    const half = visitors.length / 2;
    repeated += (await verify(first, visitors.slice(0, half))).repeated;
    repeated += (await verify(second, visitors.slice(half))).repeated;
    // Each process knows the changes of the others.
    await verify(second, visitors);
  }
  console.log(`${repeated} rotations repeated by another process`);
  assert.ok(repeated > 0, "too little happened");
});
