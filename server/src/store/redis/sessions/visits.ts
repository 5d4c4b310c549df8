import { setTimeout as delay } from "node:timers/promises";
import type { Lifetimes } from "../../../session/lifetime.ts";
import type { Connection, Operation, Word } from "../connection/connection.ts";
import type { Indices } from "../index/session-index.ts";
import type { Keys } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";
import {
  afterClaim,
  afterExamination,
  afterWriting,
  BAR_LIFE,
  type Claim,
  type Claiming,
  claimLife,
  type Examination,
  firstStep,
  PAUSE,
  type Step,
  type Writing,
} from "./visit-claim.ts";

/** Carries out what `visit-claim.ts` decides. */
export interface Visits {
  /**
   * Has `write` write the visit into the session, unless another session holds it: false then. `write`
   * gets the nonce of the claim, and may come again under another one. What claims the visit enters the
   * session in its index, too.
   */
  obtain(
    operation: Operation,
    id: string,
    visitId: string,
    write: (nonce: string) => Promise<Writing>,
  ): Promise<boolean>;
  /**
   * A first claim, for a script that claims and writes at once: the keys of the visit and of the bar, and who
   * claims, for how long, how long a bar stays. Without a visit, what such a script takes for none.
   */
  claimOf(
    id: string,
    visitId: string | null,
  ): { readonly names: readonly string[]; readonly words: readonly Word[] };
  /** Lets go of the visit of a session that is over. */
  release(operation: Operation, id: string, visitId: string): Promise<void>;
  /** Keeps the claim of a session that goes on living. */
  refresh(operation: Operation, visitId: string): Promise<void>;
}

/**
 * The visits of sessions that live by `lifetimes`; `facts` are what scripts know of every session, and
 * `settled` is there while a change of the session is on its way, and fulfilled when it has come.
 */
export function createVisits(
  connection: Connection,
  keys: Keys,
  lifetimes: Lifetimes,
  indices: Indices,
  facts: (operation: Operation, id: string) => Word[],
  settled: (id: string) => Promise<void> | undefined,
): Visits {
  const life = claimLife(Math.max(lifetimes.anonymous.total, lifetimes.recognized.total));

  async function claim(
    operation: Operation,
    own: string,
    visitId: string,
    replacing: Claim | null,
  ): Promise<Claiming> {
    // A new one for each attempt: an earlier one may be barred.
    const attempt = newNonce();
    const index = indices.entriesOf(operation, own, { visitId }, false);
    const names = [keys.visit(visitId), ...index.names];
    const replaced = replacing === null ? "" : textOf(replacing);
    const words = [own, attempt, replaced, life, ...index.words];
    // A claim that a failover undoes would leave the visit to two sessions; so would a bar.
    const reply = await connection.prepare(operation, scripts.claimVisit, names, words);
    const [nonce, id, age] = reply as [string, string | undefined, number];
    return id === undefined
      ? { outcome: "claimed", nonce }
      : { outcome: "held", claim: { id, nonce }, age };
  }

  async function examine(
    operation: Operation,
    { id, nonce }: Claim,
    visitId: string,
    mayBar: boolean,
  ): Promise<Examination> {
    await settled(id);
    const names = [keys.session(id), keys.records(id), keys.bar(id, nonce)];
    const words = [...facts(operation, id), visitId, mayBar ? 1 : 0, BAR_LIFE];
    return (await connection.prepare(
      operation,
      scripts.examineAttempt,
      names,
      words,
    )) as Examination;
  }

  async function letGo(operation: Operation, visitId: string, whose: string): Promise<void> {
    await connection.run(operation, scripts.releaseVisit, [keys.visit(visitId)], [whose]);
  }

  return {
    async obtain(operation, id, visitId, write) {
      for (let step: Step = firstStep; ; ) {
        switch (step.do) {
          case "claim":
            step = afterClaim(await claim(operation, id, visitId, step.replacing));
            break;
          case "write": {
            const own = { id, nonce: step.nonce };
            step = afterWriting(own, await write(own.nonce));
            break;
          }
          case "examine":
            step = afterExamination(
              step.claim,
              await examine(operation, step.claim, visitId, step.mayBar),
            );
            break;
          case "pause":
            await delay(PAUSE);
            step = firstStep;
            break;
          case "release":
            await letGo(operation, visitId, `${textOf(step.claim)} `);
            return true;
          case "finish":
            return step.outcome !== "lost";
        }
      }
    },
    claimOf(id, visitId) {
      if (visitId === null) {
        const own = keys.session(id);
        return { names: [own, own], words: ["", 0, 0] };
      }
      const nonce = newNonce();
      return {
        names: [keys.visit(visitId), keys.bar(id, nonce)],
        words: [`${textOf({ id, nonce })} `, life, BAR_LIFE],
      };
    },
    release: (operation, id, visitId) => letGo(operation, visitId, `${id} `),
    async refresh(operation, visitId) {
      await connection.command(operation, "pexpire", keys.visit(visitId), life);
    },
  };
}

function textOf({ id, nonce }: Claim): string {
  return `${id} ${nonce}`;
}
