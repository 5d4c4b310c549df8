// runs: faults, alone in test:long

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { test } from "node:test";
import { createKeyNames } from "../../src/store/redis/layout/key-names.ts";
import { until } from "../support/eventually.ts";
import { long } from "../support/tier.ts";
import { examinedKeys, keysByKind, leftInFiles, leftInTables } from "./leftovers.ts";
import { reportOf, warmUpOf } from "./report.ts";
import { slopeOf } from "./samples.ts";
import { type SoakPlan, type SoakRun, soak } from "./soak.ts";

/*
 * Simulates a day's expiry in minutes: sessions live, and are retained, for seconds, while all operations are
 * requested. No figure may grow without limit, and no expired data may remain. The long form takes SOAK_SECONDS (600)
 * for each engine and runtime, and appends its figures to the file that SOAK_REPORT names.
 */

const times: Pick<SoakPlan, "seconds" | "interval" | "idle" | "lifetime" | "retention"> = long
  ? {
      seconds: Number(process.env["SOAK_SECONDS"] ?? 600),
      interval: 5,
      idle: 20,
      lifetime: 60,
      retention: 60,
    }
  : { seconds: 5, interval: 1, idle: 1, lifetime: 2, retention: 1 };

/** The maximum growth of each figure per hour, in addition to the uncertainty of the slope. */
const MOST_AN_HOUR: readonly [figure: string, most: number][] = [
  ["heap MB", 60],
  ["external MB", 60],
  ["resident MB", 200],
  ["descriptors", 30],
  ["threads", 30],
  ["log MB", 1],
];

/** Maximum time (ms) after the load until all data of sessions must be gone. */
const LEFT_MS = (times.lifetime + times.retention) * 1000 + 90_000;

const plans: Pick<SoakPlan, "engine" | "runtime" | "rate">[] = [
  { engine: "sqlite", runtime: "bun", rate: long ? 1000 : 400 },
  { engine: "redis", runtime: "node", rate: long ? 300 : 200 },
];
if (long) {
  plans.push({ engine: "sqlite", runtime: "node", rate: 800 }, { engine: "redis", runtime: "bun", rate: 350 });
}

for (const { engine, runtime, rate } of plans) {
  test(`under load, ${engine} on ${runtime} grows in nothing, and no data remain after the retention`, async () => {
    await using run = await soak({ ...times, engine, runtime, rate });
    assert.deepEqual(run.tally.unexpected, []);
    if (engine === "sqlite") await checkFiles(run);
    else await checkKeys(run);
    const after = await run.sample().catch(() => new Map<string, number>());
    const report = reportOf(run, after);
    console.log(report);
    const file = process.env["SOAK_REPORT"];
    if (file !== undefined) appendFileSync(file, `${report}\n`);
    if (long) checkSlopes(run);
    for (const server of run.servers) assert.doesNotMatch(server.stderr(), /"level":[56]0/);
  });
}

/** Waits until the rows are removed from the tables, and then until their bytes are gone from the files. */
async function checkFiles({ servers: [server] }: SoakRun): Promise<void> {
  assert.ok(server !== undefined);
  let left: string[] = [];
  await until(
    "nothing is left in tables and files that should be gone",
    () => {
      left = [...leftInTables(server.dataDir), ...leftInFiles(server.dataDir)];
      return left.length === 0;
    },
    LEFT_MS,
  ).catch((error: unknown) => assert.fail(`${String(error)}: ${left.join(", ")}`));
}

/** Waits until the data of sessions are removed. Markers of ended sessions expire later by themselves. */
async function checkKeys({ redis }: SoakRun): Promise<void> {
  assert.ok(redis !== undefined);
  await until(
    "no records, no events, no entries of indices and no provisional records are left",
    async () => {
      const kinds = await keysByKind(redis);
      const areEventsGone = (await redis.command("XLEN", createKeyNames("ac:").events)) === 0;
      return areEventsGone && ["r", "x", "i", "p"].every((kind) => !kinds.has(kind));
    },
    LEFT_MS,
  );
  for (const [kind, { withoutTtl, marked, keys }] of await examinedKeys(redis)) {
    // Stored responses are kept unchanged for a day.
    if (kind !== "a") assert.equal(marked, 0, `${kind}: some have what the load sent`);
    if (kind === "{fixed}") assert.ok(keys <= 9, "more than is kept for good");
    // The queues of notes stay. They are empty now.
    else if (kind !== "n") assert.equal(withoutTtl, 0, `${kind}: some never expire`);
  }
}

function checkSlopes(run: SoakRun): void {
  for (const [figure, most] of MOST_AN_HOUR) {
    const { perHour, error } = slopeOf(run.samples, figure, warmUpOf(run));
    assert.ok(perHour - error <= most, `${figure}: ${perHour} ± ${error} an hour`);
  }
}
