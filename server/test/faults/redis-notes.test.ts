// runs: faults

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createApi, sessionOf } from "../support/api.ts";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { long, sized } from "../support/tier.ts";

/*
 * A service is killed while it creates sessions and associates ids, so that index entries are missing that it would have
 * written after its responses. Another service finds every acknowledged session at once, and completes the indexes.
 */

const ROUNDS = sized(1, 2, 200);
const CLIENTS = 16;

const random = createRandom(runSeed());
let cluster: RedisCluster;
let survivor: ServerProcess;
before(async () => {
  cluster = await startRedisCluster();
  survivor = await startServer({ env: { ANTECHAMBER_STORE: cluster.url } });
});
after(async () => {
  await survivor?.end();
  await cluster?.[Symbol.asyncDispose]();
});

/** Changes sessions until the server is killed. Returns the ids that were acknowledged: customers and visits. */
async function load(server: ServerProcess): Promise<{ customers: string[]; visits: string[] }> {
  const customers: string[] = [];
  const visits: string[] = [];
  using caller = createCaller(server.url, CLIENTS);
  const client = async () => {
    for (;;) {
      const [customerId, visitId] = [randomUUID(), randomUUID()];
      const created = sessionOf(await caller.create({ customerId }));
      customers.push(customerId);
      await caller.associate(created.sessionId, { visitId });
      visits.push(visitId);
    }
  };
  const clients = Array.from({ length: CLIENTS }, () => client().catch(() => undefined));
  await delay(random.between(300, 1200));
  await server.kill("SIGKILL");
  await Promise.all(clients);
  return { customers, visits };
}

/** Returns the number of notes that are not worked off. */
async function notesLeft(): Promise<number> {
  let sum = 0;
  for (const node of cluster.nodes.slice(0, 3)) {
    for (const name of (await node.command("KEYS", "ac:n:*")) as string[])
      sum += Number(await node.command("XLEN", name));
  }
  return sum;
}

/** Asserts that each of these ids has one session. */
async function assertFound(name: "customerId" | "visitId", ids: readonly string[]): Promise<void> {
  const api = createApi(survivor.url);
  for (let from = 0; from < ids.length; from += 50) {
    await Promise.all(
      ids.slice(from, from + 50).map(async (id) => {
        const { text } = await api.call("GET", `/sessions?${name}=${id}`);
        assert.equal((JSON.parse(text) as { sessions: unknown[] }).sessions.length, 1, `${name} ${id}`);
      }),
    );
  }
}

/** Kills services under load until one leaves notes behind. Returns the ids that they have acknowledged. */
async function killWithNotes(): Promise<{ customers: string[]; visits: string[] }> {
  const customers: string[] = [];
  const visits: string[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    await using server = await startServer({ env: { ANTECHAMBER_STORE: cluster.url } });
    const acknowledged = await load(server);
    customers.push(...acknowledged.customers);
    visits.push(...acknowledged.visits);
    // A service may be killed just after it has worked off all notes.
    if ((await notesLeft()) > 0) return { customers, visits };
  }
  throw new Error("each service had worked off all notes when it was killed");
}

for (let round = 0; round < ROUNDS; round++) {
  test(`round ${round}: every session that a killed service has acknowledged is found`, async () => {
    console.log(`FAULTS_SEED=${random.seed}`);
    const { customers, visits } = await killWithNotes();
    // A reader works off the notes itself. In the other rounds, the sweep of the survivor has to do it.
    if (round % 2 === 1) await until("the notes are worked off", async () => (await notesLeft()) === 0);
    await assertFound("customerId", customers.slice(-200));
    await assertFound("visitId", visits.slice(-200));
    assert.equal(await notesLeft(), 0);
  });
}

if (long) {
  test("while a node without a replica is down, changes in the other nodes have their events, and none waits", async () => {
    const settings = [["cluster-require-full-coverage", "no"]] as const;
    await using partial = await startRedisCluster({ nodeTimeout: 1000, persistence: "everysec", settings });
    await using server = await startServer({
      env: { ANTECHAMBER_STORE: partial.url, ANTECHAMBER_RECOGNIZED_IDLE: "15s" },
    });
    const api = createApi(server.url);
    // The node with the event log stays.
    const log = await partial.primaryOf(await partial.slotOf("{fixed}"));
    const down = partial.nodes.slice(0, 3).find((node) => node !== log);
    assert.ok(down);
    const [replica] = await partial.replicasOf(down);
    assert.ok(replica);
    await replica.kill();
    await down.kill();
    const made = new Map<string, string>();
    const create = async () => {
      const customerId = randomUUID();
      const answer = await api.create({ headers: { gkc_customerId: customerId } });
      if (answer.status === 200) made.set(sessionOf(answer).sessionId.slice(0, 24), customerId);
    };
    for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 100 }, create));
    assert.ok(made.size > 100, `${made.size} sessions were created`);
    const events = async () => {
      const headers = { accept: "application/x-ndjson" };
      return (await api.call("GET", "/events?after=start&limit=1000", { headers })).text;
    };
    const arePublished = async () => {
      const text = await events();
      return [...made.keys()].every((handle) => text.includes(handle));
    };
    await until("each session has its event", arePublished);
    const waiting = async () =>
      /^antechamber_store_unindexed_changes (\d+)/m.exec((await api.call("GET", "/metrics")).text)?.[1];
    await until("no change waits", async () => (await waiting()) === "0");
    const expired = async () => (await events()).split('"session.expired"').length - 1;
    // The others have a note with a place in a list on the node that is down.
    await until("half of the sessions have expired", async () => (await expired()) > made.size / 2, 60_000);
    await Promise.all([down.restart(), replica.restart()]);
    await partial.untilOk();
    for (const customerId of made.values()) {
      const isFound = async () => {
        const { status, text } = await api.call("GET", `/sessions?customerId=${customerId}`);
        return status === 200 && (JSON.parse(text) as { sessions: unknown[] }).sessions.length === 1;
      };
      await until("each session is found", isFound);
    }
    await until("each session has expired", async () => (await expired()) === made.size, 60_000);
  });
}
