import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Answer } from "../support/api.ts";
import { type Caller, NoResponse } from "../support/caller.ts";
import { until } from "../support/eventually.ts";
import type { Random } from "../support/random.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Clients that send requests to a server until they are stopped or the server is gone. After a wrong response, the
 * functions throw and the promises reject.
 */
export interface Load {
  /** Returns the number of changes that got a 200 so far. */
  acknowledged(): number;
  /** Returns the number of requests that got a 503 so far. */
  refused(): number;
  /** Returns the number of requests that failed without a response. */
  unanswered(): number;
  /** Resolves `milliseconds` after the first change was acknowledged. */
  moment(milliseconds: number): Promise<void>;
  /** Stops sending and waits for the open requests. */
  stop(): Promise<void>;
  /** Resolves when the server is gone, or after `stop`. */
  readonly over: Promise<void>;
}

export interface LoadOptions {
  readonly workers: number;
  readonly random: Random;
  /** Visits that all workers compete for. Each also creates visits of its own. */
  readonly contested?: readonly string[];
  /** True if 503 is an expected status. */
  readonly mayRefuse?: boolean;
  /** True if sessions live so shortly that, on a busy machine, one may expire before an id is associated with it. */
  readonly mayExpire?: boolean;
}

/** Starts to create sessions and to associate ids with them, and enters everything in the ledger. */
export function startLoad(caller: Caller, ledger: Ledger, options: LoadOptions): Load {
  const { random, contested = [], mayRefuse = false, mayExpire = false } = options;
  const counts = { acknowledged: 0, refused: 0, unanswered: 0 };
  let stopped = false;
  let failure: Error | undefined;

  function judge(answer: Answer, alsoAllowed: readonly number[] = []): boolean {
    if (answer.status === 200) counts.acknowledged++;
    else if (answer.status === 503 && mayRefuse) counts.refused++;
    else if (answer.status === 404 && mayExpire) return false;
    else assert.ok(alsoAllowed.includes(answer.status), `${answer.status}: ${answer.text}`);
    return answer.status === 200;
  }

  const createWithIds = async () => {
    judge(
      await ledger.create(caller, {
        ...freshIds(),
        customerId: `customer-${random.between(1, 500)}`,
      }),
    );
  };
  const createContested = async () => {
    const ids = { ...freshIds(), visitId: random.pick(contested) };
    judge(await ledger.create(caller, ids), [400]);
  };
  const createThenAssociate = async () => {
    const sessionId = await ledger.createAnonymous(caller);
    if (!judge(await ledger.associate(caller, sessionId, freshIds()))) return;
    if (!judge(await ledger.associate(caller, sessionId, { customerId: randomUUID() }))) return;
    judge(await ledger.associate(caller, sessionId, { agentId: `agent-${random.between(1, 9)}` }));
  };
  const steps = [createWithIds, createThenAssociate];
  if (contested.length > 0) steps.push(createContested);

  async function work(): Promise<void> {
    while (!stopped) {
      try {
        await random.pick(steps)();
      } catch (error) {
        if (!(error instanceof NoResponse)) throw error;
        counts.unanswered++;
        stopped = true;
      }
    }
  }

  const over = Promise.all(Array.from({ length: options.workers }, work)).then(() => undefined);
  over.catch((error: Error) => {
    stopped = true;
    failure = error;
  });
  const count = (of: keyof typeof counts) => () => {
    // Otherwise a test would wait for a count that is never reached.
    if (failure !== undefined) throw failure;
    return counts[of];
  };
  const acknowledged = count("acknowledged");
  return {
    acknowledged,
    refused: count("refused"),
    unanswered: count("unanswered"),
    async moment(milliseconds) {
      await until("the first change is acknowledged", () => acknowledged() > 0);
      await delay(milliseconds);
    },
    stop() {
      stopped = true;
      return over;
    },
    over,
  };
}

/** Returns a new visit and a new global visit. */
export function freshIds(): { visitId: string; globalVisitId: string } {
  return { visitId: randomUUID(), globalVisitId: randomUUID() };
}
