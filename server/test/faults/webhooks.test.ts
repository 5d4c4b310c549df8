// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { WebhookInfo } from "@antechamber/client/protocol";
import { createApi } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { startReceiver } from "../webhooks/receiver.ts";
import { type Acknowledged, CHANGES, changeSessions, missingIn, typesByCustomer } from "./changing-sessions.ts";

const ROUNDS = long ? 200 : 3;
const WORKERS = 8;

test(`${ROUNDS} kills while webhooks are delivered: each event arrives, those of a session in order`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  let isFailing = true;
  // Now and then the receiver fails, so that some deliveries wait for a retry when the server is killed.
  await using receiver = await startReceiver((response) => {
    response.writeHead(isFailing && random.between(0, 50) === 0 ? 500 : 204).end();
  });
  const acknowledged: Acknowledged = new Map();
  const start = () => startServer({ dataDir: directory.path });
  {
    await using server = await start();
    const created = await createApi(server.url).call("POST", "/webhooks", { json: { url: receiver.url } });
    assert.equal(created.status, 201, created.text);
  }
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await start();
    const working = Array.from({ length: WORKERS }, (_, i) =>
      changeSessions(server.url, `c${round}-${i}`, acknowledged),
    );
    await delay(random.between(50, 500));
    await server.kill("SIGKILL");
    await Promise.all(working);
  }
  isFailing = false;
  await using server = await start();
  const pending = async () => {
    const { text } = await createApi(server.url).call("GET", "/webhooks");
    return (JSON.parse(text) as { webhooks: WebhookInfo[] }).webhooks[0]?.pending;
  };
  const arrived = () => typesByCustomer(receiver.received);
  await until("each acknowledged change has arrived", () => missingIn(arrived(), acknowledged).length === 0, 60_000);
  await until("nothing is pending", async () => (await pending()) === 0, 60_000);
  for (const [customer, types] of arrived()) {
    assert.deepEqual(types, CHANGES.slice(0, types.length), customer);
  }
  const changes = [...acknowledged.values()].reduce((sum, types) => sum + types.length, 0);
  const events = new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size;
  const { length } = receiver.received;
  console.log(`${ROUNDS} kills, ${changes} changes acknowledged, ${events} events in ${length} requests; none lost`);
});
