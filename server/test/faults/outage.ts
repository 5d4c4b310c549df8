import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { checkHistory, type Report } from "../linearizability/check.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { startCompetingClients } from "./competing-clients.ts";
import type { Services } from "./services.ts";
import { contestVisits, createWitness, retrieveAll } from "./witness.ts";

/** Observations of a store that was broken under load and recovered. */
export interface Outage {
  readonly report: Report;
  /** Number of requests that were refused as unavailable, or whose outcome is unknown. */
  readonly refused: number;
  readonly unknown: number;
  /** Longest wait for a response, in ms. */
  readonly slowest: number;
  /** Longest time, in ms, for which this process itself was blocked and noticed no response. */
  readonly stalled: number;
  /** Time from the beginning of the fault until everything served again, in ms. */
  readonly duration: number;
}

export interface OutageOptions {
  /** Breaks something and returns once the store works again. */
  readonly fault: () => Promise<void>;
  /** True if the store may lose acknowledged changes because of this fault. */
  readonly mayLose: boolean;
  readonly end?: (sessionId: string) => Promise<boolean>;
  readonly clients?: number;
}

/** Deadline (ms) of the store for a request, plus an allowance for a busy machine. */
const DEADLINE_MS = 2000 + 1000;
/** Number of acknowledged changes before the fault, and again after it. */
const CHANGES = 300;
const SECOND = 1000;
/** Age (ms) at which an acknowledged change is assumed to be on every replica. */
const REPLICATION_MS = 200;

/**
 * Loads the services, runs `fault`, waits until all serve again without help, verifies every session, and checks that
 * a linearizable order explains all responses.
 */
export async function observeOutage(services: Services, options: OutageOptions): Promise<Outage> {
  const random = createRandom(runSeed());
  const witness = createWitness();
  const { clients = 24, end } = options;
  const clientsAtWork = startCompetingClients(services, witness, {
    clients,
    random,
    ...(end && { end }),
  });
  const untilAcknowledged = (from: number) =>
    until("changes are acknowledged", () => witness.count("session") > from + CHANGES, 20_000);
  await untilAcknowledged(0);

  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const from = performance.now();
  await options.fault();
  await services.untilServing();
  const to = performance.now();

  await untilAcknowledged(witness.count("session"));
  await clientsAtWork.stop();
  await retrieveAll(witness, services.running());
  await contestVisits(witness, services.running(), from - SECOND);

  // Read before the check, which blocks this process for a while.
  stalls.disable();
  const stalled = stalls.max / 1e6;
  const failovers = options.mayLose ? [{ from: from - REPLICATION_MS, to }] : [];
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
  assert.ok(outage.slowest < DEADLINE_MS, `a response took ${outage.slowest} ms`);
  return outage;
}

function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value) : value;
}

/** Sums up several outages. */
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
