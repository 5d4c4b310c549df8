import * as fc from "fast-check";
import { idFields } from "../../src/session/fields.ts";
import { type Identity, noIdentity } from "../../src/session/session.ts";
import type { Event } from "./check.ts";
import type { SessionResponse } from "./session-model.ts";

/*
 * Creates histories that are certainly correct. A draft says when a request is called, how long until it takes effect,
 * and how long until its response arrives. The requests are carried out on plain maps in the order of their effects.
 */

/** A planned request; times are relative to the previous one. */
export interface Draft {
  readonly operation: Exclude<Event["operation"], "repeat">;
  readonly session: number;
  /** Generation of the id that the client uses; 0 for a create. */
  readonly generation: number;
  readonly ids: Identity;
  readonly after: number;
  readonly untilEffect: number;
  readonly untilResponse: number;
  /** `lost`: it takes effect, perhaps late, and the response is lost; `dropped`: it never takes effect. */
  readonly fate: "answered" | "lost" | "dropped";
}

const value = fc.option(fc.constantFrom("a", "b"), { nil: null, freq: 2 });
const delay = fc.integer({ min: 1, max: 40 });

/** Generates drafts with many conflicts: few sessions, few values, few visits, and much overlap. */
export const drafts: fc.Arbitrary<Draft[]> = fc.array(
  fc.record({
    operation: fc.constantFrom<Draft["operation"][]>("create", "create", "associate", "rotate", "retrieve", "end"),
    session: fc.integer({ min: 0, max: 3 }),
    generation: fc.constantFrom(0, 0, 0, 1, 2),
    ids: fc
      .record({ customerId: value, visitId: value, globalVisitId: value })
      .map((given) => ({ ...noIdentity, ...given })),
    after: fc.integer({ min: 0, max: 12 }),
    untilEffect: delay,
    untilResponse: delay,
    fate: fc.constantFrom<Draft["fate"][]>("answered", "answered", "answered", "lost", "dropped"),
  }),
  { minLength: 1, maxLength: 24 },
);

/** Faults that a simulated system can have. */
export const faults = ["lost change", "stale read", "changed id", "resurrection", "shared visit", "two ids", "leak"];

interface Stored {
  ids: Identity;
  generation: number;
  over: boolean;
}

/** Returns the history that clients see of a system that is correct except for `fault`. */
export function simulate(requests: readonly Draft[], fault?: string): Event[] {
  const sessions = new Map<string, Stored>();
  const events: Event[] = [];
  let clock = 0;
  const planned = requests.map((draft, i) => {
    clock += draft.after;
    const session = draft.operation === "create" ? `new-${i}` : `old-${draft.session}`;
    // Without a response, the effect may come after the client stopped waiting.
    const effect = clock + draft.untilEffect * (draft.fate === "lost" ? 5 : 1);
    return { draft, session, call: clock, effect };
  });
  for (const { draft, session, call, effect } of planned.toSorted((a, b) => a.effect - b.effect)) {
    const isKnown = draft.fate === "answered";
    const answer = draft.fate === "dropped" ? ({ kind: "unknown" } as const) : apply(sessions, session, draft, fault);
    const isCreated = draft.operation !== "create" || (isKnown && answer.kind === "session");
    events.push({
      operation: draft.operation,
      generation: draft.operation === "create" ? 0 : draft.generation,
      session: isCreated ? session : undefined,
      ids: draft.operation === "retrieve" || draft.operation === "end" ? noIdentity : draft.ids,
      response: isKnown ? answer : { kind: "unknown" },
      call,
      return: isKnown ? effect + draft.untilResponse : Number.POSITIVE_INFINITY,
    });
  }
  return events;
}

function apply(sessions: Map<string, Stored>, id: string, draft: Draft, fault?: string): SessionResponse {
  const { operation, ids } = draft;
  const session = sessions.get(id) ?? { ids: noIdentity, generation: 0, over: false };
  const generation = operation === "create" ? 0 : draft.generation;
  if (session.over && fault !== "resurrection") return { kind: "absent" };
  if (operation === "retrieve" && generation < session.generation) {
    return { kind: "session", ids: fault === "leak" ? session.ids : noIdentity, generation };
  }
  if (generation !== session.generation && fault !== "two ids") return { kind: "absent" };
  if (operation === "end") {
    sessions.set(id, { ...session, over: true });
    return { kind: "ended" };
  }
  if (operation === "retrieve") {
    return { kind: "session", ids: fault === "stale read" ? noIdentity : session.ids, generation: session.generation };
  }
  const clash = idFields.find(
    (field) => ids[field] !== null && session.ids[field] !== null && ids[field] !== session.ids[field],
  );
  if (clash !== undefined && fault !== "changed id") return { kind: "conflict", field: clash };
  const isHeld = [...sessions].some(
    ([other, one]) => other !== id && !one.over && ids.visitId !== null && one.ids.visitId === ids.visitId,
  );
  if (isHeld && fault !== "shared visit") return { kind: "conflict", field: "visitId" };
  const merged = Object.fromEntries(
    idFields.map((field) => {
      const [own, given] = [session.ids[field], ids[field]];
      return [field, fault === "changed id" ? (given ?? own) : (own ?? given)];
    }),
  ) as unknown as Identity;
  const next = session.generation + (operation === "rotate" ? 1 : 0);
  if (fault !== "lost change") sessions.set(id, { ids: merged, generation: next, over: false });
  return { kind: "session", ids: merged, generation: next };
}
