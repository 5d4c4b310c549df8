import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import type { Services } from "./services.ts";
import type { Witness, Witnessed } from "./witness.ts";

/** Clients that use several services at once, each request through any of them, until stopped. */
export interface Crowd {
  /** Stops sending, and resolves when all open requests have been answered. */
  leave(): Promise<void>;
}

export interface CrowdOptions {
  readonly clients: number;
  readonly random: Random;
  /** Ends a session through any service, where that is part of the test. */
  readonly end?: (sessionId: string) => Promise<boolean>;
}

/** How long (ms) a client waits after a refusal. */
const PATIENCE = 25;
/** How long (ms) clients compete for the same few visits. */
const FASHION = 150;

/** Starts clients that create sessions, compete for visits and use each other's sessions. */
export function startCrowd(
  services: Pick<Services, "running">,
  witness: Witness,
  { clients, random, end }: CrowdOptions,
): Crowd {
  const stop = new AbortController();
  const recent: string[] = [];

  function remember(seen: Witnessed): string | undefined {
    if (seen.kind !== "session") return undefined;
    recent.push(seen.sessionId);
    if (recent.length > 40) recent.shift();
    return seen.sessionId;
  }
  const anyone = () => random.pick(services.running());
  const contested = () =>
    `contested-${Math.floor(performance.now() / FASHION)}-${random.between(1, 3)}`;
  const customer = () => `customer-${random.between(1, 3)}`;

  const steps: readonly (() => Promise<Witnessed>)[] = [
    () => witness.create(anyone(), { visitId: randomUUID(), customerId: customer() }),
    () => witness.create(anyone(), { visitId: contested(), globalVisitId: randomUUID() }),
    async () => {
      const begun = await witness.create(anyone());
      if (begun.kind !== "session") return begun;
      const { sessionId } = begun;
      const visited = await witness.associate(anyone(), sessionId, { visitId: contested() });
      remember(begun);
      if (visited.kind !== "session") return visited;
      return await witness.associate(anyone(), sessionId, { customerId: customer() });
    },
  ];
  const uses: readonly ((sessionId: string) => Promise<Witnessed>)[] = [
    (sessionId) => witness.retrieve(anyone(), sessionId),
    (sessionId) => witness.retrieve(anyone(), sessionId),
    // Another client may be setting another customer or agent at this moment.
    (sessionId) => witness.associate(anyone(), sessionId, { customerId: customer() }),
    (sessionId) =>
      witness.associate(anyone(), sessionId, { agentId: `agent-${random.between(1, 2)}` }),
  ];

  async function act(): Promise<Witnessed> {
    const used = recent.length > 0 && random.next() < 0.6 ? random.pick(recent) : undefined;
    if (used === undefined) {
      const seen = await random.pick(steps)();
      remember(seen);
      return seen;
    }
    if (end !== undefined && random.next() < 0.1) return witness.end(used, () => end(used));
    return await random.pick(uses)(used);
  }

  async function stay(): Promise<void> {
    while (!stop.signal.aborted) {
      const { kind } = await act();
      if (kind === "refused" || kind === "unknown") await delay(PATIENCE);
    }
  }

  const over = Promise.all(Array.from({ length: clients }, stay));
  // Reported by `stop()`; without this handler it would count as unhandled.
  over.catch(() => stop.abort());
  return {
    async leave() {
      stop.abort();
      await over;
    },
  };
}
