import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { checkHistory, type Report } from "../linearizability/check.ts";
import { until } from "../support/eventually.ts";
import { createRandom, runSeed } from "../support/random.ts";
import { long } from "../support/tier.ts";
import { startCompetingClients } from "./competing-clients.ts";
import type { Services } from "./services.ts";
import { contestVisits, createWitness, retrieveAll } from "./witness.ts";

/** Behaviour of the services while the store was broken under load, and until it had recovered. */
export interface Outage {
  readonly report: Report;
  /** Numbers of requests that were refused as unavailable (`refused`), and whose outcome is `unknown`. */
  readonly refused: number;
  readonly unknown: number;
  /** Longest response time in ms. */
  readonly slowest: number;
  /** Longest time (ms) for which the event loop of the test itself was blocked. */
  readonly stalled: number;
  /** Time (ms) from the beginning of the fault until all services worked again. */
  readonly duration: number;
}

export interface OutageOptions {
  /** Breaks the store, and resolves when the store works again. */
  readonly fault: () => Promise<void>;
  /** True if the store may lose acknowledged changes because of this fault. */
  readonly mayLose: boolean;
  readonly end?: (sessionId: string) => Promise<boolean>;
  readonly clients?: number;
}

/** The store's deadline (ms), and the least allowance for a busy machine. */
const DEADLINE_MS = 2000;
const ALLOWANCE_MS = 1000;
/** Number of changes that must be acknowledged before the fault, and again after it. */
const CHANGES = 300;
const SECOND = 1000;
/** Age (ms) at which an acknowledged change is assumed to be on every replica. */
const REPLICATION_MS = 200;

/** Runs `fault` under load, waits until all services have recovered by themselves, and checks all responses. */
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
    until("changes are acknowledged", () => witness.count("session") > from + CHANGES);
  await untilAcknowledged(0);
  const slowestBefore = witness.slowest();

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

  // The delay is read before `checkHistory`, since that blocks the event loop.
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
  const allowance = Math.max(ALLOWANCE_MS, 2 * slowestBefore + stalled);
  // The clients themselves give up after 30 s.
  const most = long ? DEADLINE_MS + allowance : 30_000;
  assert.ok(outage.slowest < most, `a response took ${outage.slowest} ms`);
  return outage;
}

function rounded(_name: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value) : value;
}

/** Combines several outages into one. */
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
