// runs: faults

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { EventInfo } from "@antechamber/client/protocol";
import { createApi } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { SLOTS, stateOf } from "../support/redis/cluster-state.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { long, sized } from "../support/tier.ts";
import { startReceiver } from "../webhooks/receiver.ts";
import { type Acknowledged, CHANGES, changeSessions, missingIn, typesByCustomer } from "./changing-sessions.ts";

/*
 * Services and primaries of a cluster are killed while sessions change. Each acknowledged change has its event, no event
 * is without its change, and the events of a session are in order. Changes wait for a replica, as otherwise a failover
 * loses some of them.
 */

const ROUNDS = sized(2, 2, 200);
const WORKERS = 8;

const random = createRandom(runSeed());
let cluster: RedisCluster;
before(async () => {
  cluster = await startRedisCluster({ nodeTimeout: 5000, persistence: "everysec" });
});
after(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const start = (more: Readonly<Record<string, string>> = {}) =>
  startServer({ env: { ANTECHAMBER_STORE: cluster.url, ...more } });

/** Reads the log of a server, and compares it with what was acknowledged. */
function createReader(server: ServerProcess) {
  const api = createApi(server.url);
  const found = new Map<string, string[]>();
  const ids = new Set<string>();
  let position = "start";

  async function readOn(): Promise<void> {
    for (;;) {
      const headers = { accept: "application/x-ndjson" };
      const {
        status,
        headers: fields,
        text,
      } = await api.call("GET", `/events?after=${position}&limit=1000`, { headers });
      if (status === 503) return;
      assert.equal(status, 200, text);
      position = fields.get("last-event-id") ?? "";
      if (text === "") return;
      for (const line of text.trimEnd().split("\n")) {
        const event = JSON.parse(line) as EventInfo;
        assert.ok(!ids.has(event.id), "an id is used twice");
        ids.add(event.id);
        assert.ok("session" in event.data, line);
        const customer = event.data.session.customerId ?? "";
        const types = found.get(customer) ?? [];
        types.push(event.type);
        found.set(customer, types);
        // Each is there once, and in order.
        assert.deepEqual(types, CHANGES.slice(0, types.length), `${customer}: ${types.join()}`);
      }
    }
  }

  /** Asserts that the session of a customer has changed as its events say. */
  async function assertChanged(customer: string, types: readonly string[]): Promise<void> {
    const { text } = await api.call("GET", `/sessions?customerId=${customer}`);
    const [session, ...others] = (JSON.parse(text) as { sessions: { visitId: string | null; endedAt?: string }[] })
      .sessions;
    assert.deepEqual(others, []);
    assert.equal(session?.visitId ?? null, types.includes("session.associated") ? customer : null, customer);
  }

  return {
    get events() {
      return ids.size;
    },
    async verify(acknowledged: Acknowledged): Promise<void> {
      const missing = () =>
        [...acknowledged].filter(([customer, types]) => (found.get(customer)?.length ?? 0) < types.length);
      const isComplete = async () => {
        await readOn();
        return missing().length === 0;
      };
      await until("each acknowledged change has its event", isComplete).catch((error: unknown) => {
        console.log(JSON.stringify(missing().map(([customer, types]) => [customer, types, found.get(customer)])));
        throw error;
      });
      const unsure = [...acknowledged].filter(([customer, types]) => found.get(customer)?.length !== types.length);
      for (const [customer] of unsure.slice(0, 50)) {
        const types = found.get(customer);
        if (types !== undefined) await assertChanged(customer, types);
      }
    },
  };
}

/** Kills a random primary, and resolves when its replica has taken over and it runs again, as a replica. */
async function killPrimary(): Promise<void> {
  // A node that stood still for a moment may have been replaced just now.
  await cluster.untilOk();
  const primary = await cluster.primaryOf(random.between(0, SLOTS - 1));
  const [replica] = await cluster.replicasOf(primary);
  assert.ok(replica, "the primary has no replica");
  await primary.kill();
  await until("the replica took over", async () => (await stateOf(replica)).isPrimary);
  await primary.restart();
  await cluster.untilOk();
}

test(`${ROUNDS} kills of services and primaries lose no event of an acknowledged change`, async () => {
  console.log(`FAULTS_SEED=${random.seed}`);
  const env = { ANTECHAMBER_MIN_REPLICAS_ACK: "1" };
  await using survivor = await start(env);
  const reader = createReader(survivor);
  let server = await start(env);
  let changes = 0;
  const kills = [0, 0, 0];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged: Acknowledged = new Map();
      const stop = new AbortController();
      const working = Array.from({ length: WORKERS }, (_, i) =>
        changeSessions((i % 2 ? survivor : server).url, `c${round}-${i}`, acknowledged, stop.signal),
      );
      await delay(random.between(100, 600));
      // First one of each kind, then also both at once.
      const kind = round < 2 ? round : random.between(0, 2);
      kills[kind] = (kills[kind] ?? 0) + 1;
      const failedOver = kind === 0 ? undefined : killPrimary();
      if (kind !== 1) await server.end();
      await failedOver;
      if (kind !== 1) server = await start(env);
      await delay(random.between(0, 200));
      stop.abort();
      await Promise.all(working);
      await reader.verify(acknowledged);
      for (const types of acknowledged.values()) changes += types.length;
    }
  } finally {
    await server.end();
  }
  assert.ok(changes > ROUNDS, "the control: there were changes");
  const [service, primary, both] = kills;
  console.log(
    `${service} kills of a service, ${primary} of a primary, ${both} of both: ` +
      `${changes} changes acknowledged, ${reader.events} events; none lost, none twice`,
  );
});

/** The lease of the process that delivers webhooks, and the longest time (ms) for which it may have it. */
const LEASE = "ac:{fixed}webhook-lease";
const MAX_LEASE_MS = 10_000;

/** Lets the lease of a dead process end soon, after asserting that it would end in time by itself. */
async function shortenLease(): Promise<void> {
  const [node] = cluster.nodes;
  const primary = await cluster.primaryOf(Number(await node?.command("CLUSTER", "KEYSLOT", LEASE)));
  const left = Number(await primary.command("PTTL", LEASE));
  assert.ok(left > 0 && left <= MAX_LEASE_MS, `the lease lasts for ${left} ms`);
  if (!long) await primary.command("PEXPIRE", LEASE, 500);
}

test("when the process that delivers webhooks is killed, another one continues within 15 s, in order", async () => {
  await using receiver = await startReceiver();
  const servers = [await start(), await start()] as const;
  try {
    const created = await createApi(servers[0].url).call("POST", "/webhooks", { json: { url: receiver.url } });
    assert.equal(created.status, 201, created.text);
    await createApi(servers[1].url).create({ headers: { gkc_customerId: "first" } });
    await until("a delivery arrives", () => receiver.received.length > 0);
    const acknowledged: Acknowledged = new Map();
    const stop = new AbortController();
    const working = Array.from({ length: 4 }, (_, i) =>
      changeSessions(servers[i % 2]?.url ?? "", `w-${i}`, acknowledged, stop.signal),
    );
    await until("deliveries arrive", () => receiver.received.length > 20);
    const has = async (server: ServerProcess) =>
      (await createApi(server.url).call("GET", "/metrics")).text.includes("antechamber_webhook_pending{");
    const delivering = (await has(servers[0])) ? 0 : 1;
    await servers[delivering].kill("SIGKILL");
    const { length } = receiver.received;
    const killedAt = performance.now();
    await shortenLease();
    await delay(200);
    stop.abort();
    await Promise.all(working);
    await until("another process delivers", () => receiver.received.length > length, long ? 16_000 : 60_000);
    console.log(`after ${Math.round(performance.now() - killedAt)} ms another process delivers`);
    const arrived = () => typesByCustomer(receiver.received);
    const isComplete = () => missingIn(arrived(), acknowledged).length === 0;
    await until("every event arrives", isComplete, 60_000);
    for (const [customer, types] of arrived()) {
      // A session of the test before may have begun before there was an endpoint.
      if (acknowledged.has(customer)) assert.deepEqual(types, CHANGES.slice(0, types.length), customer);
    }
  } finally {
    await Promise.all(servers.map((server) => server.end()));
  }
});
