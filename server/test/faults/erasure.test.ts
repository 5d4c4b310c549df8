// runs: faults

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ErasureReceipt, SessionList } from "@antechamber/client/protocol";
import { type Api, createApi } from "../support/api.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { openStoredData } from "./stored-data.ts";

const ROUNDS = long ? 60 : 3;
const SESSIONS = 200;

/** Creates sessions of the customer to be erased and of another one, each with a request record. */
async function fill(api: Api, erased: string): Promise<void> {
  const create = async (customerId: string) => {
    const answer = await api.create({ headers: { gkc_customerId: customerId } });
    assert.equal(answer.status, 200, answer.text);
    const { sessionId } = JSON.parse(answer.text) as { sessionId: string };
    await api.call("POST", `/sessions/${sessionId}/requests`, {
      json: { method: "GET", path: `/read-by-${customerId}` },
    });
  };
  const made = Array.from({ length: SESSIONS }, () => create(erased));
  await Promise.all([...made, ...Array.from({ length: 20 }, () => create("stays"))]);
}

/** Erases a customer completely. Returns false if the server was killed before it confirmed that. */
async function erase(api: Api, customerId: string): Promise<boolean> {
  for (;;) {
    const answer = await api.call("DELETE", `/customers/${customerId}`).catch(() => undefined);
    if (answer === undefined) return false;
    assert.equal(answer.status, 200, answer.text);
    if ((JSON.parse(answer.text) as ErasureReceipt).isComplete) return true;
  }
}

function filesWith(dataDir: string, text: string): string[] {
  return readdirSync(dataDir)
    .filter((name) => statSync(join(dataDir, name)).isFile())
    .filter((name) => readFileSync(join(dataDir, name)).includes(text));
}

test(`${ROUNDS} erasures are interrupted by kills: each acknowledged one is complete, and the others can be repeated`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  let acknowledged = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const erased = `customer-who-leaves-${round}`;
    let isConfirmed: boolean;
    {
      await using server = await startServer({ dataDir: directory.path });
      const api = createApi(server.url);
      await fill(api, erased);
      const erasing = erase(api, erased);
      await Promise.race([delay(random.between(0, 150)), erasing]);
      await server.kill("SIGKILL");
      isConfirmed = await erasing;
    }
    if (isConfirmed) {
      acknowledged++;
      assert.deepEqual(filesWith(directory.path, erased), [], "erased data remain after the confirmation");
    }
    await using server = await startServer({ dataDir: directory.path });
    const api = createApi(server.url);
    assert.equal(await erase(api, erased), true);
    assert.deepEqual(filesWith(directory.path, erased), []);
    const kept = await api.call("GET", "/sessions?customerId=stays");
    assert.equal((JSON.parse(kept.text) as SessionList).total, 20 * round);
    using stored = openStoredData(directory.path);
    assert.deepEqual(stored.integrity(), ["ok"]);
  }
  console.log(`${ROUNDS} kills, ${acknowledged} of them after the erasure was acknowledged`);
});
