// runs: faults

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createTransport, type Transport } from "@antechamber/client/transport";
import { until } from "../support/eventually.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { startServices } from "./services.ts";

/* Clients count, each in a member of its own of the data of one session, while services are killed. */

const CLIENTS = 64;
const ROUNDS = long ? 100 : 3;
const names = Array.from({ length: CLIENTS }, (_, i) => `client-${i}`);
type Counts = Readonly<Record<string, number>>;

let cluster: RedisCluster;
before(async () => {
  cluster = await startRedisCluster();
});
after(() => cluster?.[Symbol.asyncDispose]());

const transportOf = ({ url }: Pick<ServerProcess, "url">) => createTransport({ url, attempts: 1, timeout: 20_000 });

/** The counts that a client knows: the highest one that was acknowledged, and the highest one that it has sent. */
interface Known {
  acknowledged: number;
  sent: number;
}

/** Counts until `isOver`. A failed call may or may not have had its effect. */
async function count(transport: Transport, sessionId: string, name: string, known: Known, isOver: () => boolean) {
  while (!isOver()) {
    const next = known.sent + 1;
    known.sent = next;
    try {
      const { data } = await transport.mergeData<Counts>(sessionId, { [name]: next });
      assert.equal(data[name], next);
      known.acknowledged = next;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      await delay(5);
    }
  }
}

/** Asserts that each member has a count that was acknowledged, or was sent after that. */
async function verify(transport: Transport, sessionId: string, all: ReadonlyMap<string, Known>): Promise<void> {
  const { data } = await transport.readData<Counts>(sessionId);
  for (const [name, { acknowledged, sent }] of all) {
    const stored = data[name] ?? 0;
    assert.ok(stored >= acknowledged && stored <= sent, `${name}: ${stored}, not ${acknowledged} to ${sent}`);
  }
}

const newKnowledge = () => new Map(names.map((name): [string, Known] => [name, { acknowledged: 0, sent: 0 }]));

/** Counts with all clients, spread over `transports`. Calls `disturb` when a change of each client was acknowledged. */
async function countWhile(
  transports: readonly Transport[],
  sessionId: string,
  all: ReadonlyMap<string, Known>,
  disturb: () => Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const counting = names.map((name, i) =>
    count(transports[i % transports.length] as Transport, sessionId, name, all.get(name) as Known, () => isOver),
  );
  try {
    const isHeard = () => [...all.values()].every(({ acknowledged }) => acknowledged > 0);
    await until("a change of each client is acknowledged", isHeard, 60_000);
    await disturb();
  } finally {
    isOver = true;
  }
  await Promise.all(counting);
}

const aMoment = (random: Random) => delay(300 + random.between(0, 300));

test(`SQLite: ${ROUNDS} kills lose no acknowledged change of session data`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  const all = newKnowledge();
  let sessionId = "";
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await startServer({ dataDir: directory.path });
    const transport = transportOf(server);
    if (sessionId === "") ({ sessionId } = await transport.create());
    else await verify(transport, sessionId, all);
    await countWhile([transport], sessionId, all, async () => {
      await aMoment(random);
      await server.kill("SIGKILL");
    });
  }
  await using server = await startServer({ dataDir: directory.path });
  await verify(transportOf(server), sessionId, all);
});

test(`Redis Cluster: clients of three processes, of which one is killed, all win (${ROUNDS} rounds)`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  for (let round = 0; round < ROUNDS; round++) {
    await using services = await startServices(cluster.url, ["bun", "node", "bun"]);
    const [first, ...others] = services.servers as [ServerProcess, ...ServerProcess[]];
    const all = newKnowledge();
    const transport = transportOf(others[0] as ServerProcess);
    const { sessionId } = await transport.create();
    await countWhile(services.servers.map(transportOf), sessionId, all, async () => {
      await aMoment(random);
      await first.kill("SIGKILL");
      await aMoment(random);
    });
    await verify(transport, sessionId, all);
  }
});
