// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectControl } from "../../src/control/client.ts";
import { checkHistory, type Event } from "../linearizability/check.ts";
import { createCaller } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { startCompetingClients } from "./competing-clients.ts";
import { createWitness, retrieveAll } from "./witness.ts";

const ENOUGH = long ? 50_000 : 1200;

test("the history of the SQLite engine is linearizable, even across a kill", async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  const witness = createWitness();
  {
    await using server = await startServer({ dataDir: directory.path });
    using caller = createCaller(server.url);
    const control = await connectControl(directory.path);
    assert.ok(control, "the server has no control socket");
    const end = (sessionId: string) => control.endSession(sessionId);
    const competing = startCompetingClients({ running: () => [caller] }, witness, {
      clients: 32,
      random,
      end,
    });
    await until("enough was seen", () => witness.count("session") > ENOUGH, 120_000);
    const stopped = competing.stop();
    await server.kill("SIGKILL");
    await stopped;
  }
  await using server = await startServer({ dataDir: directory.path });
  using caller = createCaller(server.url);
  await retrieveAll(witness, [caller]);
  const report = checkHistory(witness.events());
  console.log(JSON.stringify({ ...report, unknown: witness.count("unknown") }));
  assert.deepEqual(report.violations, []);
  const isRotation = ({ operation, response }: Event) => operation === "rotate" && response.kind === "session";
  const rotations = witness.events().filter(isRotation).length;
  assert.ok(rotations > 0 && witness.count("conflict") > 0 && witness.count("ended") > 0, "too little happened");
});
