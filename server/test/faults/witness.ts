import assert from "node:assert/strict";
import type { Problem, SessionInfo } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { type Identity, noIdentity } from "../../src/session/session.ts";
import type { Event } from "../linearizability/check.ts";
import type { SessionResponse } from "../linearizability/session-model.ts";
import { type Answer, sessionOf } from "../support/api.ts";
import { type Caller, type GivenIds, identityOf, NoResponse, unavailable } from "../support/caller.ts";
import { generationOf } from "../support/sessions.ts";

/** Outcome of a request. */
export type Outcome =
  | { readonly kind: "session"; readonly sessionId: string; readonly ids: Identity }
  | { readonly kind: "conflict" | "absent" | "ended" | "refused" | "unknown" };

/**
 * Sends requests and logs each with its response and times for `checkHistory`. It omits requests that were refused as
 * unavailable and so had no effect; if one did have an effect, `checkHistory` finds the history not linearizable.
 */
export interface Witness {
  create(caller: Caller, ids?: GivenIds): Promise<Outcome>;
  associate(caller: Caller, sessionId: string, ids: GivenIds): Promise<Outcome>;
  /** Rotates the session. With `isRepetition` a request with this key, whose outcome is unknown, is sent again. */
  rotate(caller: Caller, sessionId: string, ids: GivenIds, key: string, isRepetition?: boolean): Promise<Outcome>;
  retrieve(caller: Caller, sessionId: string): Promise<Outcome>;
  /** Ends a session with `end`, which returns true if the end is confirmed and rejects if its outcome is unknown. */
  end(sessionId: string, end: () => Promise<boolean>): Promise<Outcome>;
  events(): readonly Event[];
  /** Returns the newest known id of each acknowledged session, the oldest session first. */
  sessionIds(): readonly string[];
  /** Returns the number of requests with an outcome of this kind. */
  count(kind: Outcome["kind"]): number;
  /** Returns the longest response time (ms) since the last call of this function. */
  slowest(): number;
}

export function createWitness(): Witness {
  const events: Event[] = [];
  /** The newest known id of each session, by its handle. */
  const sessions = new Map<string, string>();
  const counts = { session: 0, conflict: 0, absent: 0, ended: 0, refused: 0, unknown: 0 };
  let slowest = 0;

  async function watch(
    operation: Event["operation"],
    sessionId: string | undefined,
    ids: Identity,
    send: () => Promise<{ readonly response: SessionResponse; readonly session?: string } | "refused">,
  ): Promise<Outcome> {
    const call = performance.now();
    const outcome = await send();
    const now = performance.now();
    slowest = Math.max(slowest, now - call);
    if (outcome === "refused") {
      counts.refused++;
      return { kind: "refused" };
    }
    const { response } = outcome;
    counts[response.kind]++;
    const known = sessionId ?? outcome.session;
    const session = known && handleOf(known);
    const generation = sessionId === undefined ? 0 : generationOf(sessionId);
    const end = response.kind === "unknown" ? Number.POSITIVE_INFINITY : now;
    events.push({ operation, session, generation, ids, response, call, return: end });
    if (response.kind !== "session") return { kind: response.kind };
    const shown = outcome.session ?? "";
    const before = sessions.get(handleOf(shown));
    if (before === undefined || generationOf(before) < response.generation) sessions.set(handleOf(shown), shown);
    return { kind: "session", sessionId: shown, ids: response.ids };
  }

  return {
    create: (caller, ids = {}) => watch("create", undefined, identityOf(ids), () => outcomeOf(caller.create(ids))),
    associate: (caller, sessionId, ids) =>
      watch("associate", sessionId, identityOf(ids), () => outcomeOf(caller.associate(sessionId, ids))),
    rotate: (caller, sessionId, ids, key, isRepetition = false) =>
      watch(isRepetition ? "repeat" : "rotate", sessionId, identityOf(ids), () =>
        outcomeOf(caller.rotate(sessionId, ids, key)),
      ),
    retrieve: (caller, sessionId) =>
      watch("retrieve", sessionId, noIdentity, async () => {
        const outcome = await outcomeOf(caller.retrieve(sessionId));
        // The session was unknown, so the server created another one.
        const isOther = outcome !== "refused" && outcome.session !== undefined && outcome.session !== sessionId;
        return isOther ? { response: { kind: "absent" } } : outcome;
      }),
    end: (sessionId, end) =>
      watch("end", sessionId, noIdentity, async () => {
        try {
          return { response: { kind: (await end()) ? "ended" : "absent" } };
        } catch {
          return { response: { kind: "unknown" } };
        }
      }),
    events: () => events,
    sessionIds: () => [...sessions.values()],
    count: (kind) => counts[kind],
    slowest() {
      const longest = slowest;
      slowest = 0;
      return longest;
    },
  };
}

/** Retrieves every acknowledged session, so that the history shows lost ones. */
export async function retrieveAll(witness: Witness, callers: readonly Caller[]): Promise<void> {
  await spread(callers, witness.sessionIds(), (caller, id) => witness.retrieve(caller, id));
}

/** Tries to create a session with every visit used since `from`: a visit of a live session must be refused. */
export async function contestVisits(witness: Witness, callers: readonly Caller[], from: number): Promise<void> {
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

async function outcomeOf(
  sent: Promise<Answer>,
): Promise<{ readonly response: SessionResponse; readonly session?: string } | "refused"> {
  let response: Answer;
  try {
    response = await sent;
  } catch (error) {
    if (!(error instanceof NoResponse)) throw error;
    return { response: { kind: "unknown" } };
  }
  if (response.status === 503) {
    return unavailable(response).outcome === "unknown" ? { response: { kind: "unknown" } } : "refused";
  }
  // The first of two requests with one idempotency key is not finished.
  if (response.status === 409) return "refused";
  if (response.status === 404) return { response: { kind: "absent" } };
  if (response.status === 400) {
    const { code, field } = JSON.parse(response.text) as Problem;
    assert.equal(code, "already-exists", response.text);
    return { response: { kind: "conflict", field: field ?? "" } };
  }
  const session: SessionInfo = sessionOf(response);
  const { sessionId } = session;
  return {
    response: { kind: "session", ids: identityOf(session), generation: generationOf(sessionId) },
    session: sessionId,
  };
}
