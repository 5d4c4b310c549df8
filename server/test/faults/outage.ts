import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { checkHistory, type Report } from "../linearizability/check.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startCrowd } from "./crowd.ts";
import type { Services } from "./services.ts";
import { contestAll, createWitness, lookAtAll } from "./witness.ts";

/** What was seen while something was broken under load and became whole again. */
export interface Outage {
  readonly report: Report;
  /** Requests that were refused as unavailable, or of which nobody knows the outcome. */
  readonly refused: number;
  readonly unknown: number;
  /** The longest wait for an answer, in milliseconds. */
  readonly slowest: number;
  /** The longest that this process itself did nothing, and so took note of no answer, in milliseconds. */
  readonly stalled: number;
  /** From the beginning of the fault until everything served again, in milliseconds. */
  readonly duration: number;
}

export interface OutageOptions {
  /** Breaks something and returns once the store is whole again. */
  readonly fault: () => Promise<void>;
  /** Whether a store may lose acknowledged changes to this fault. */
  readonly mayLose: boolean;
  readonly end?: (sessionId: string) => Promise<boolean>;
  readonly clients?: number;
}

/** The store's deadline for a request, with what a busy machine adds to it. */
const DEADLINE = 2000 + 1000;
/** Acknowledged changes before the fault, and again after it. */
const ENOUGH = 300;
const SECOND = 1000;
/** What was acknowledged so long (ms) before a fault has reached every replica. */
const REPLICATION = 200;

/**
 * Puts the services under load, lets `fault` happen, waits until all serve again without anybody's
 * help, looks at every session, and checks what all clients saw from beginning to end.
 */
export async function witnessOutage(services: Services, options: OutageOptions): Promise<Outage> {
  const random = createRandom(runSeed());
  const witness = createWitness();
  const { clients = 24, end } = options;
  const crowd = startCrowd(services, witness, { clients, random, ...(end && { end }) });
  const grown = (from: number) =>
    until("changes are acknowledged", () => witness.count("session") > from + ENOUGH, 20_000);
  await grown(0);

  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const from = performance.now();
  await options.fault();
  await services.untilServing();
  const to = performance.now();

  await grown(witness.count("session"));
  await crowd.leave();
  await lookAtAll(witness, services.running());
  await contestAll(witness, services.running(), from - SECOND);

  // Before the check, which does nothing else for a while.
  stalls.disable();
  const stalled = stalls.max / 1e6;
  const failovers = options.mayLose ? [{ from: from - REPLICATION, to }] : [];
  const outage = {
    report: checkHistory(witness.events(), failovers),
    refused: witness.count("refused"),
    unknown: witness.count("unknown"),
    slowest: witness.slowest(),
    stalled,
    duration: to - from,
  };
  console.log(`FAULTS_SEED=${random.seed} ${JSON.stringify(outage, rounded)}`);
  assert.deepEqual(outage.report.violations, []);
  assert.ok(outage.slowest < DEADLINE, `an answer took ${outage.slowest} ms`);
  return outage;
}

function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value) : value;
}

/** What several outages come to together. */
export function summed(outages: readonly Outage[]): Outage {
  const [first, ...others] = outages;
  assert.ok(first, "there was no outage");
  const sum = others.reduce(
    (one, other) => ({
      report: added(one.report, other.report),
      refused: one.refused + other.refused,
      unknown: one.unknown + other.unknown,
      slowest: Math.max(one.slowest, other.slowest),
      stalled: Math.max(one.stalled, other.stalled),
      duration: one.duration + other.duration,
    }),
    first,
  );
  if (others.length > 0) console.log(`${outages.length} times: ${JSON.stringify(sum, rounded)}`);
  return sum;
}

function added(one: Report, other: Report): Report {
  return {
    events: one.events + other.events,
    sessions: one.sessions + other.sessions,
    visits: one.visits + other.visits,
    lost: one.lost + other.lost,
    stale: one.stale + other.stale,
    lostClaims: one.lostClaims + other.lostClaims,
    heldTwice: one.heldTwice + other.heldTwice,
    violations: [...one.violations, ...other.violations],
  };
}
