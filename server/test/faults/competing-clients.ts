import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import { long } from "../support/tier.ts";
import type { Services } from "./services.ts";
import type { Outcome, Witness } from "./witness.ts";

/** Clients that send each request to a random one of several services, until stopped. */
export interface CompetingClients {
  /** Stops sending, and resolves when all open requests have their responses. */
  stop(): Promise<void>;
}

export interface CompetitionOptions {
  readonly clients: number;
  readonly random: Random;
  /** Ends a session. If given, the clients also end sessions. */
  readonly end?: (sessionId: string) => Promise<boolean>;
}

/** How long (ms) a client waits after a refusal. */
const RETRY_DELAY_MS = 25;
/** The longest pause (ms) of a client between two requests, so that a short run leaves the processor to others. */
const PAUSE_MS = long ? 0 : 30;
/** Time (ms) after which the clients compete for other visits. */
const CONTEST_MS = 150;

/** Starts clients that create sessions, compete for visits and use each other's sessions. */
export function startCompetingClients(
  services: Pick<Services, "running">,
  witness: Witness,
  { clients, random, end }: CompetitionOptions,
): CompetingClients {
  const stop = new AbortController();
  const recent: string[] = [];

  function remember(outcome: Outcome): string | undefined {
    if (outcome.kind !== "session") return undefined;
    recent.push(outcome.sessionId);
    if (recent.length > 40) recent.shift();
    return outcome.sessionId;
  }
  const anyService = () => random.pick(services.running());
  // Sessions of an earlier run on the same store may still hold its visits.
  const run = randomUUID().slice(0, 8);
  const contested = () => `contested-${run}-${Math.floor(performance.now() / CONTEST_MS)}-${random.between(1, 3)}`;
  const customer = () => `customer-${random.between(1, 3)}`;

  const steps: readonly (() => Promise<Outcome>)[] = [
    () => witness.create(anyService(), { visitId: randomUUID(), customerId: customer() }),
    () => witness.create(anyService(), { visitId: contested(), globalVisitId: randomUUID() }),
    async () => {
      const created = await witness.create(anyService());
      if (created.kind !== "session") return created;
      const { sessionId } = created;
      const associated = await witness.associate(anyService(), sessionId, { visitId: contested() });
      remember(created);
      if (associated.kind !== "session") return associated;
      return await witness.associate(anyService(), sessionId, { customerId: customer() });
    },
  ];
  /** Rotates a session; if no response arrives, any service may be asked for the same once more. */
  const rotate = async (sessionId: string): Promise<Outcome> => {
    const ids = random.next() < 0.5 ? { customerId: customer() } : {};
    const key = randomUUID();
    const outcome = await witness.rotate(anyService(), sessionId, ids, key);
    if (outcome.kind !== "unknown") return outcome;
    await delay(RETRY_DELAY_MS);
    return await witness.rotate(anyService(), sessionId, ids, key, true);
  };
  const uses: readonly ((sessionId: string) => Promise<Outcome>)[] = [
    (sessionId) => witness.retrieve(anyService(), sessionId),
    (sessionId) => witness.retrieve(anyService(), sessionId),
    // Another client can try to set another customer or agent at the same time.
    (sessionId) => witness.associate(anyService(), sessionId, { customerId: customer() }),
    (sessionId) => witness.associate(anyService(), sessionId, { agentId: `agent-${random.between(1, 2)}` }),
    async (sessionId) => {
      // The retired id stays among the recent ones: it must not open the session.
      const outcome = await rotate(sessionId);
      remember(outcome);
      return outcome;
    },
  ];

  async function sendOne(): Promise<Outcome> {
    const used = recent.length > 0 && random.next() < 0.6 ? random.pick(recent) : undefined;
    if (used === undefined) {
      const outcome = await random.pick(steps)();
      remember(outcome);
      return outcome;
    }
    if (end !== undefined && random.next() < 0.1) return witness.end(used, () => end(used));
    return await random.pick(uses)(used);
  }

  async function work(): Promise<void> {
    while (!stop.signal.aborted) {
      const { kind } = await sendOne();
      if (kind === "refused" || kind === "unknown") await delay(RETRY_DELAY_MS);
      else if (PAUSE_MS > 0) await delay(random.between(0, PAUSE_MS));
    }
  }

  const finished = Promise.all(Array.from({ length: clients }, work));
  // `stop()` reports the error; this handler keeps it from being an unhandled rejection.
  finished.catch(() => stop.abort());
  return {
    async stop() {
      stop.abort();
      await finished;
    },
  };
}
