import { setTimeout as delay } from "node:timers/promises";
import type { Operation } from "../engine.ts";
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
 * Carries out the steps that `visit-claim.ts` decides. Claims the visit, and calls `write` to write the visit into the
 * session. `write` gets the nonce of the claim. It may be called again with another nonce. Returns false if another
 * session holds the visit, otherwise true, even if `write` was refused.
 */
export async function obtainVisit(
  operation: Operation,
  handle: string,
  visitId: string,
  write: (nonce: string) => Promise<WriteResult>,
): Promise<boolean> {
  for (let step: Step = firstStep; ; ) {
    switch (step.do) {
      case "claim":
        step = afterClaim(await claimVisit(operation, handle, visitId, step.replacing));
        break;
      case "write": {
        const { nonce } = step;
        step = afterWrite({ handle, nonce }, await write(nonce));
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
        await releaseClaim(operation, visitId, textOf(step.claim));
        return true;
      case "finish":
        return step.outcome !== "lost";
    }
  }
}

/** Releases the claim of a session that has ended or is being erased, whatever its nonce is. */
export function releaseVisit(operation: Operation, handle: string, visitId: string): Promise<void> {
  return releaseClaim(operation, visitId, `${handle} `);
}

/** Extends the lifetime of the claim of a visit whose session is renewed. */
export async function extendClaim(operation: Operation, visitId: string): Promise<void> {
  const { keys, claimLife } = operation.engine;
  await operation.command("pexpire", keys.visit(visitId), claimLife);
}

async function claimVisit(operation: Operation, handle: string, visitId: string, old: Claim | null) {
  const { keys, claimLife } = operation.engine;
  const name = keys.visit(visitId);
  // Each attempt has a new nonce, because an attempt with an earlier nonce may be fenced.
  const nonce = newNonce();
  // Claims and fences wait for replicas. If a failover undid one, two sessions could get the visit.
  if (old === null) {
    // Most visits are free. Then this command takes Redis a third of the time of the script.
    const claimed = await operation.prepareCommand(
      "set",
      name,
      textOf({ handle, nonce }),
      "PX",
      claimLife,
      "NX",
      "GET",
    );
    if (claimed === null) return { outcome: "claimed", nonce } as const;
    const current = claimIn(claimed as string);
    if (current.handle === handle) return { outcome: "claimed", nonce: current.nonce } as const;
  }
  const replaced = old === null ? "" : textOf(old);
  const reply = await operation.prepare(scripts.claimVisit, [name], [handle, nonce, replaced, claimLife]);
  const [own, holder, age] = reply as [string, string | undefined, number];
  return holder === undefined
    ? ({ outcome: "claimed", nonce: own } as const)
    : ({ outcome: "held", claim: { handle: holder, nonce: own }, age } as const);
}

async function examine(operation: Operation, claim: Claim, visitId: string, mayFence: boolean) {
  const { handle, nonce } = claim;
  await operation.engine.renewals.of(handle);
  const names = [...sessionKeys(operation, handle), operation.keys.fence(handle, nonce)];
  const facts = sessionArgs(operation, handle);
  const args = [...facts, visitId, mayFence ? 1 : 0, FENCE_LIFE];
  const reply = await operation.prepare(scripts.examineAttempt, names, args);
  return reply as Examination;
}

async function releaseClaim(operation: Operation, visitId: string, owner: string): Promise<void> {
  const { keys } = operation.engine;
  await operation.run(scripts.releaseVisit, [keys.visit(visitId)], [owner]);
}

function textOf({ handle, nonce }: Claim): string {
  return `${handle} ${nonce}`;
}

function claimIn(text: string): Claim {
  const [handle = "", nonce = ""] = text.split(" ");
  return { handle, nonce };
}
