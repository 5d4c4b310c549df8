import assert from "node:assert/strict";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import { type Identity, noIdentity } from "../../src/session/session.ts";
import type { Event } from "../linearizability/check.ts";
import type { SessionAnswer } from "../linearizability/session-model.ts";
import { type Answer, sessionOf } from "../support/api.ts";
import { type Caller, type GivenIds, NoAnswer, unavailable } from "../support/caller.ts";

/** Outcome of a request. */
export type Witnessed =
  | { readonly kind: "session"; readonly sessionId: string; readonly ids: Identity }
  | { readonly kind: "conflict" | "absent" | "ended" | "refused" | "unknown" };

/**
 * Sends requests through any caller and writes down request, response and times for `checkHistory`. A request that
 * was refused as unavailable with a known outcome is left out; if it had an effect nevertheless, no order will
 * explain the history.
 */
export interface Witness {
  create(caller: Caller, ids?: GivenIds): Promise<Witnessed>;
  associate(caller: Caller, sessionId: string, ids: GivenIds): Promise<Witnessed>;
  retrieve(caller: Caller, sessionId: string): Promise<Witnessed>;
  /**
   * Ends a session by calling `end`, which returns true if that was confirmed and rejects if the outcome is unknown.
   */
  end(sessionId: string, end: () => Promise<boolean>): Promise<Witnessed>;
  events(): readonly Event[];
  /** Acknowledged sessions so far, oldest first. */
  sessionIds(): readonly string[];
  /** Number of requests by outcome. */
  count(kind: Witnessed["kind"]): number;
  /** Returns the longest wait for a response since the last call, in ms. */
  slowest(): number;
}

export function createWitness(): Witness {
  const events: Event[] = [];
  const sessions = new Set<string>();
  const counts = { session: 0, conflict: 0, absent: 0, ended: 0, refused: 0, unknown: 0 };
  let slowest = 0;

  async function watch(
    asked: Event["asked"],
    session: string | undefined,
    ids: Identity,
    send: () => Promise<{ readonly answer: SessionAnswer; readonly session?: string } | "refused">,
  ): Promise<Witnessed> {
    const call = performance.now();
    const seen = await send();
    const now = performance.now();
    slowest = Math.max(slowest, now - call);
    if (seen === "refused") {
      counts.refused++;
      return { kind: "refused" };
    }
    const { answer } = seen;
    counts[answer.kind]++;
    const known = session ?? seen.session;
    const end = answer.kind === "unknown" ? Number.POSITIVE_INFINITY : now;
    events.push({ asked, session: known, ids, answer, call, return: end });
    if (answer.kind !== "session") return { kind: answer.kind };
    sessions.add(known ?? "");
    return { kind: "session", sessionId: known ?? "", ids: answer.ids };
  }

  return {
    create: (caller, ids = {}) =>
      watch("create", undefined, identityOf(ids), () => answered(caller.create(ids))),
    associate: (caller, sessionId, ids) =>
      watch("associate", sessionId, identityOf(ids), () =>
        answered(caller.associate(sessionId, ids)),
      ),
    retrieve: (caller, sessionId) =>
      watch("retrieve", sessionId, noIdentity, async () => {
        const seen = await answered(caller.retrieve(sessionId));
        // Another session was created instead.
        const isOther =
          seen !== "refused" && seen.session !== undefined && seen.session !== sessionId;
        return isOther ? { answer: { kind: "absent" } } : seen;
      }),
    end: (sessionId, end) =>
      watch("end", sessionId, noIdentity, async () => {
        try {
          return { answer: { kind: (await end()) ? "ended" : "absent" } };
        } catch {
          return { answer: { kind: "unknown" } };
        }
      }),
    events: () => events,
    sessionIds: () => [...sessions],
    count: (kind) => counts[kind],
    slowest() {
      const longest = slowest;
      slowest = 0;
      return longest;
    },
  };
}

/** Retrieves every acknowledged session, so that lost ones appear in the history. */
export async function lookAtAll(witness: Witness, callers: readonly Caller[]): Promise<void> {
  await spread(callers, witness.sessionIds(), (caller, id) => witness.retrieve(caller, id));
}

/** Tries to take every visit that was given to a session since `from`: a visit that is held must be refused. */
export async function contestAll(
  witness: Witness,
  callers: readonly Caller[],
  from: number,
): Promise<void> {
  const recent = witness.events().filter(({ call, ids }) => call >= from && ids.visitId !== null);
  const visits = new Set(recent.map(({ ids }) => ids.visitId as string));
  await spread(callers, [...visits], (caller, visitId) => witness.create(caller, { visitId }));
}

async function spread<T>(
  callers: readonly Caller[],
  items: readonly T[],
  work: (caller: Caller, item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: 48 }, async (_, i) => {
      const caller = callers[i % callers.length];
      for (const item of queue) if (caller) await work(caller, item);
    }),
  );
}

async function answered(
  sent: Promise<Answer>,
): Promise<{ readonly answer: SessionAnswer; readonly session?: string } | "refused"> {
  let answer: Answer;
  try {
    answer = await sent;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return { answer: { kind: "unknown" } };
  }
  if (answer.status === 503) {
    return unavailable(answer).outcome === "unknown" ? { answer: { kind: "unknown" } } : "refused";
  }
  if (answer.status === 404) return { answer: { kind: "absent" } };
  if (answer.status === 400) {
    const { code, field } = JSON.parse(answer.text) as Problem;
    assert.equal(code, "already-exists", answer.text);
    return { answer: { kind: "conflict", field: field ?? "" } };
  }
  const session: SessionInfo = sessionOf(answer);
  return { answer: { kind: "session", ids: identityOf(session) }, session: session.sessionId };
}

function identityOf(given: { readonly [Field in keyof Identity]?: string | null }): Identity {
  const { agentId = null, customerId = null, visitId = null, globalVisitId = null } = given;
  return { agentId, customerId, visitId, globalVisitId };
}
