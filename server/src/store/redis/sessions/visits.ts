import { setTimeout as delay } from "node:timers/promises";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { indexEntriesFor } from "../index/session-index.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";
import { sessionArgs, sessionKeys } from "./session-scripts.ts";
import {
  afterClaim,
  afterExamination,
  afterWrite,
  type Claim,
  type Examination,
  FENCE_LIFE,
  firstStep,
  PAUSE,
  type Step,
  type WriteResult,
} from "./visit-claim.ts";

/**
 * Carries out what `visit-claim.ts` decides: claims the visit, adds the session to its index, and calls `write` to write the visit into the session. `write` gets
 * the nonce of the claim and may be called again with another one. Returns false if another session holds the visit.
 */
export async function obtainVisit(
  operation: Operation,
  id: string,
  visitId: string,
  write: (nonce: string) => Promise<WriteResult>,
): Promise<boolean> {
  for (let step: Step = firstStep; ; ) {
    switch (step.do) {
      case "claim":
        step = afterClaim(await claimVisit(operation, id, visitId, step.replacing));
        break;
      case "write": {
        const { nonce } = step;
        step = afterWrite({ id, nonce }, await write(nonce));
        break;
      }
      case "examine": {
        const { claim, mayFence } = step;
        step = afterExamination(claim, await examine(operation, claim, visitId, mayFence));
        break;
      }
      case "pause":
        await delay(PAUSE);
        step = firstStep;
        break;
      case "release":
        await releaseClaim(operation, visitId, `${textOf(step.claim)} `);
        return true;
      case "finish":
        return step.outcome !== "lost";
    }
  }
}

/**
 * Returns a new claim for a combined script: the keys of claim and fence; owner, lifetime of the claim, lifetime of a
 * fence. Without a visit, what such a script takes for none.
 */
export function newClaim(
  operation: Operation,
  id: string,
  visitId: string | null,
): { readonly names: string[]; readonly args: Argument[] } {
  const { keys, claimLife } = operation.engine;
  if (visitId === null) {
    const own = keys.session(id);
    return { names: [own, own], args: ["", 0, 0] };
  }
  const nonce = newNonce();
  return {
    names: [keys.visit(visitId), keys.fence(id, nonce)],
    args: [`${textOf({ id, nonce })} `, claimLife, FENCE_LIFE],
  };
}

/** Releases any claim of a session that is over. */
export function releaseVisit(operation: Operation, id: string, visitId: string): Promise<void> {
  return releaseClaim(operation, visitId, `${id} `);
}

/** Extends the claim of a session that is renewed. */
export async function extendClaim(operation: Operation, visitId: string): Promise<void> {
  const { keys, claimLife } = operation.engine;
  await operation.command("pexpire", keys.visit(visitId), claimLife);
}

async function claimVisit(operation: Operation, id: string, visitId: string, old: Claim | null) {
  const { keys, claimLife } = operation.engine;
  // Each attempt has its own nonce, as an earlier one may be fenced.
  const attempt = newNonce();
  const entries = indexEntriesFor(operation, id, { visitId }, false);
  const names = [keys.visit(visitId), ...entries.names];
  const replaced = old === null ? "" : textOf(old);
  const args = [id, attempt, replaced, claimLife, ...entries.args];
  // `prepare`: if a failover undid a claim or a fence, two sessions could get the visit.
  const reply = await operation.prepare(scripts.claimVisit, names, args);
  const [nonce, holder, age] = reply as [string, string | undefined, number];
  return holder === undefined
    ? ({ outcome: "claimed", nonce } as const)
    : ({ outcome: "held", claim: { id: holder, nonce }, age } as const);
}

async function examine(operation: Operation, claim: Claim, visitId: string, mayFence: boolean) {
  const { id, nonce } = claim;
  await operation.engine.renewals.of(id);
  const names = [...sessionKeys(operation, id), operation.keys.fence(id, nonce)];
  const facts = sessionArgs(operation, id);
  const args = [...facts, visitId, mayFence ? 1 : 0, FENCE_LIFE];
  const reply = await operation.prepare(scripts.examineAttempt, names, args);
  return reply as Examination;
}

async function releaseClaim(operation: Operation, visitId: string, owner: string): Promise<void> {
  const { keys } = operation.engine;
  await operation.run(scripts.releaseVisit, [keys.visit(visitId)], [owner]);
}

function textOf({ id, nonce }: Claim): string {
  return `${id} ${nonce}`;
}
