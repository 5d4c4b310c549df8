// runs: faults

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createCaller } from "../support/caller.ts";
import { endSession } from "../support/command-line.ts";
import { createRandom, type Random, runSeed } from "../support/random.ts";
import { type ServerProcess, spawnServer, startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { long } from "../support/tier.ts";
import { createEventLedger, type EventLedger } from "./event-log.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { openStoredData } from "./stored-data.ts";

const ROUNDS = long ? 500 : 8;
/** Every 5th round kills the server while it starts, every 10th while it ends a session. */
const START_EVERY = 5;
const END_EVERY = 10;

/** Asserts that the database is intact and agrees with all responses to creates, and that its events agree with it. */
function inspect(dataDir: string, ledger: Ledger, events: EventLedger): void {
  using stored = openStoredData(dataDir);
  assert.deepEqual(stored.integrity(), ["ok"]);
  assert.deepEqual(stored.sharedVisits(Date.now()), []);
  assert.equal(stored.liveCountError(), 0);
  ledger.verifyCreates(stored);
  events.verify(dataDir);
}

/** Returns the ids after the first `seen`, which are not verified yet, and up to 100 random earlier ones. */
function toVerify(ids: readonly string[], seen: number, random: Random): string[] {
  const older = Array.from({ length: Math.min(seen, 100) }, () => random.pick(ids));
  return [...older, ...ids.slice(seen)];
}

/** No session may expire before it is verified, however long the rounds take. */
const env = { ANTECHAMBER_ANONYMOUS_IDLE: "24h", ANTECHAMBER_RECOGNIZED_IDLE: "24h" };

async function killWhileStarting(dataDir: string, random: Random): Promise<void> {
  await using server = spawnServer({ dataDir, env });
  await delay(random.between(0, 400));
  await server.kill("SIGKILL");
}

/** Verifies sessions under load, then kills the server. Returns how many are verified, and how many changes acknowledged. */
async function killUnderLoad(
  server: ServerProcess,
  ledger: Ledger,
  random: Random,
  { verified, endOne }: { verified: number; endOne: boolean },
): Promise<{ verified: number; changes: number }> {
  using caller = createCaller(server.url);
  const known = ledger.sessionIds();
  const contested = Array.from({ length: 4 }, (_, i) => `contested-${known.length}-${i}`);
  const load = startLoad(caller, ledger, { workers: 24, random, contested });
  const ended = endOne ? random.pick(known) : undefined;
  const ending = ended && ledger.end(ended, () => endSession(server.dataDir, ended));
  // A session that is found to be live just before it ends would count as one that must not end any more.
  const others = toVerify(known, verified, random).filter((sessionId) => sessionId !== ended);
  const verifying = ledger.verify(caller, others);
  await Promise.race([
    Promise.all([load.moment(random.between(0, 400)), verifying]),
    load.over.then(() => Promise.reject(new Error("the server was gone before it was killed"))),
  ]);
  await server.kill("SIGKILL");
  await Promise.all([load.over, ending]);
  return { verified: known.length, changes: load.acknowledged() };
}

test(`${ROUNDS} kills at random moments lose no acknowledged change, and no event of one`, async () => {
  const random = createRandom(runSeed());
  console.log(`FAULTS_SEED=${random.seed}`);
  await using directory = temporaryDirectory();
  const ledger = createLedger();
  const events = createEventLedger();
  let verified = 0;
  let changes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    if (round % START_EVERY === START_EVERY - 1) await killWhileStarting(directory.path, random);
    await using server = await startServer({ dataDir: directory.path, env });
    inspect(directory.path, ledger, events);
    const endOne = verified > 0 && round % END_EVERY === END_EVERY - 1;
    const killed = await killUnderLoad(server, ledger, random, { verified, endOne });
    verified = killed.verified;
    changes += killed.changes;
  }
  await using server = await startServer({ dataDir: directory.path, env });
  inspect(directory.path, ledger, events);
  assert.ok(events.events > 0);
  using caller = createCaller(server.url);
  await ledger.verify(caller, ledger.sessionIds());
  const sessions = ledger.sessionIds().length;
  console.log(
    `${ROUNDS} kills, ${sessions} sessions, ${changes} changes acknowledged, ${events.events} events; none lost, none twice`,
  );
});
