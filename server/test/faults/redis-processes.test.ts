// runs: faults

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, createApi, problemOf, sessionOf } from "../support/api.ts";
import { type RunOptions, succeed, succeedJson } from "../support/command-line.ts";
import { until } from "../support/eventually.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis/cluster.ts";
import { openRedisAt } from "../support/redis/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { patient, type Services, startServices } from "./services.ts";

/* Three services on both runtimes share one Redis cluster, and clients can use any of them. */

const CLIENTS = 64;
const ROUNDS = long ? 200 : 6;
const clients = Array.from({ length: CLIENTS }, (_, i) => i);
const runtimes = ["bun", "node", "bun"] as const;

let cluster: RedisCluster;
let services: Services;
before(async () => {
  cluster = await startRedisCluster();
  services = await startServices(cluster.url, runtimes, patient);
});
after(async () => {
  await services?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** Returns the API of the service that this client uses: the clients are spread over the services. */
function api(client: number, of: Services = services) {
  return createApi(of.servers[client % of.servers.length]?.url ?? "");
}

/** Options to run the command line on the shared store, with a data folder that no server uses. */
function commandLine(folder: string): RunOptions {
  return { env: { ANTECHAMBER_STORE: cluster.url, ANTECHAMBER_DATA_DIR: folder } };
}

/** Asserts that one response is a session and all others are refused for `field`. Returns the index of the one. */
function winnerOf(answers: readonly Answer[], field: string): number {
  const winners = clients.filter((i) => answers[i]?.status === 200);
  assert.equal(winners.length, 1, `${winners.length} winners`);
  for (const answer of answers) {
    if (answer.status !== 200) assert.equal(problemOf(answer, 400, "already-exists").field, field);
  }
  return winners[0] ?? -1;
}

test(`of 64 clients of three processes that start one visit, exactly one gets it (${ROUNDS} rounds)`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const visitId = randomUUID();
    const answers = await Promise.all(
      clients.map((i) => api(i).create({ json: { visitId }, headers: { gkc_customerId: `c${i}` } })),
    );
    const winner = winnerOf(answers, "visitId");
    const session = sessionOf(answers[winner] as Answer);
    for (const i of [0, 1, 2]) {
      assert.deepEqual(sessionOf(await api(i).retrieve(session.sessionId)), session);
    }
  }
});

test(`of 64 customers that sign in to one session through three processes, exactly one gets it (${ROUNDS} rounds)`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const { sessionId } = sessionOf(await api(round).create());
    const answers = await Promise.all(
      clients.map((i) => api(i).update(sessionId, { headers: { gkc_customerId: `c${i}` } })),
    );
    const winner = winnerOf(answers, "customerId");
    for (const i of [0, 1, 2]) {
      assert.equal(sessionOf(await api(i).retrieve(sessionId)).customerId, `c${winner}`);
    }
  }
});

test(`of 64 sessions of three processes that want one visit, exactly one gets it (${ROUNDS} rounds)`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const visitId = randomUUID();
    const begun = await Promise.all(clients.map((i) => api(i).create()));
    const answers = await Promise.all(
      begun.map((one, i) => api(i + 1).update(sessionOf(one).sessionId, { json: { visitId } })),
    );
    const winner = winnerOf(answers, "visitId");
    const shown = await Promise.all(
      begun.map(async (one, i) => sessionOf(await api(i + 2).retrieve(sessionOf(one).sessionId))),
    );
    assert.deepEqual(
      shown.flatMap((session, i) => (session.visitId === visitId ? [i] : [])),
      [winner],
    );
  }
});

test("a session that is created in one process can be used in another, and ends for all", async () => {
  const visitId = randomUUID();
  const { sessionId } = sessionOf(await api(0).create({ json: { visitId } }));
  const signedIn = sessionOf(await api(1).update(sessionId, { headers: { gkc_customerId: "anna" } }));
  assert.deepEqual(sessionOf(await api(2).retrieve(sessionId)), signedIn);
  assert.deepEqual(sessionOf(await api(0).retrieve(sessionId)), signedIn);
  await using folder = temporaryDirectory();
  await succeed(["sessions", "end", sessionId], commandLine(folder.path));
  for (const i of [0, 1, 2]) {
    assert.notEqual(sessionOf(await api(i).retrieve(sessionId)).sessionId, sessionId);
    problemOf(await api(i).update(sessionId, { json: { visitId } }), 404, "session-not-found");
  }
  // The ended session's visit is free in every process.
  sessionOf(await api(2).create({ json: { visitId } }));
});

test("every process refuses a revoked key after about a second", async () => {
  await using folder = temporaryDirectory();
  await using guarded = await startServices(cluster.url, runtimes, { ANTECHAMBER_AUTH: "key" });
  const made = await succeedJson<{ id: string; key: string }>(
    ["keys", "create", "--role", "administrator"],
    commandLine(folder.path),
  );
  const statuses = async () => {
    const answers = await Promise.all(
      guarded.servers.map(({ url }) => createApi(url, { authorization: `Bearer ${made.key}` }).create()),
    );
    return answers.map(({ status }) => status).join();
  };
  await until("the new key opens", async () => (await statuses()) === "200,200,200");
  await succeed(["keys", "revoke", made.id], commandLine(folder.path));
  await until("the key is refused", async () => (await statuses()) === "401,401,401");
  assert.equal(await statuses(), "401,401,401");
});

/** Age (ms) at which a new secret begins to sign ids. */
const ROTATION_DELAY = 3000;
/** Pause (ms) between two looks at that moment. */
const PAUSE_MS = long ? 0 : 5;

test("a key that is revoked while no process can read the keys is refused as soon as the processes can read them", async () => {
  await using folder = temporaryDirectory();
  await using guarded = await startServices(cluster.url, runtimes, { ANTECHAMBER_AUTH: "key" });
  const made = await succeedJson<{ id: string; key: string }>(
    ["keys", "create", "--role", "administrator"],
    commandLine(folder.path),
  );
  const authorization = `Bearer ${made.key}`;
  const statuses = async () => {
    const creations = guarded.servers.map(({ url }) => createApi(url, { authorization }).create());
    return (await Promise.all(creations)).map(({ status }) => status).join();
  };
  await until("the new key opens", async () => (await statuses()) === "200,200,200");
  // API keys are read together with their times of use. With a text instead of these, keys can only be changed.
  const uses = "ac:{fixed}uses";
  const node = await cluster.primaryOf(await cluster.slotOf(uses));
  await node.command("SET", uses, "unreadable");
  const store = await openRedisAt(cluster.url);
  try {
    assert.ok(await store.revokeApiKey(made.id, Date.now()));
  } finally {
    await store.close();
  }
  const isRefused = () =>
    guarded.servers.every(({ stderr }) => stderr().includes("keys and secrets could not be read"));
  await until("every process has tried", async () => isRefused());
  await node.command("DEL", uses);
  await until("the key is refused", async () => (await statuses()) === "401,401,401");
});

test("every process accepts ids signed with a new secret from the first moment", async () => {
  await using folder = temporaryDirectory();
  const earlier = sessionOf(await api(0).create({ json: { visitId: randomUUID() } }));
  let rotatedAt = Number.POSITIVE_INFINITY;
  const rotating = succeed(["secrets", "rotate"], commandLine(folder.path)).finally(() => {
    rotatedAt = performance.now();
  });
  for (let i = 0; performance.now() < rotatedAt + ROTATION_DELAY + 500; i++) {
    const begun = sessionOf(await api(i).create({ json: { visitId: randomUUID() } }));
    for (const other of [1, 2]) {
      const seen = sessionOf(await api(i + other).retrieve(begun.sessionId));
      assert.equal(seen.sessionId, begun.sessionId, "an id was taken for a forged one");
    }
    await delay(PAUSE_MS);
  }
  await rotating;
  for (const i of [0, 1, 2]) {
    assert.deepEqual(sessionOf(await api(i).retrieve(earlier.sessionId)), earlier);
  }
});
