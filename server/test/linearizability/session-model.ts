import { idFields } from "../../src/session/fields.ts";
import { type Identity, identityOf, noIdentity } from "../../src/session/session.ts";
import type { Operation, SequentialModel } from "./search.ts";

/** A client's request on a session, with the response. A session begins to exist with its first write. */
export interface SessionOperation extends Operation {
  /** `rotate` also gives the session its next id; `repeat` is the repetition of such a request. */
  readonly operation: "write" | "rotate" | "repeat" | "read" | "end";
  /** Generation of the id that the client used. */
  readonly generation: number;
  /** Ids to associate. */
  readonly ids: Identity;
  readonly response: SessionResponse;
}

export type SessionResponse =
  /** The session has these ids, and its id has this generation. */
  | { readonly kind: "session"; readonly ids: Identity; readonly generation: number }
  /** A conflict: this id has another value, or another session holds the visit. */
  | { readonly kind: "conflict"; readonly field: string }
  /** There is no such session. */
  | { readonly kind: "absent" }
  | { readonly kind: "ended" }
  | { readonly kind: "unknown" };

interface SessionState {
  readonly ids: Identity;
  readonly generation: number;
  readonly over: boolean;
}

/**
 * Model of one session: an id that is set never changes (contract.md#rule-1), only its newest session id opens it
 * (contract.md#rule-9), and an ended session never becomes live again. Before its first write, it is the implicit
 * session of its id (contract.md#rule-8). No session expires during a test.
 */
export const sessionModel: SequentialModel<SessionState, SessionOperation> = {
  initial: { ids: noIdentity, generation: 0, over: false },
  step: (state, op) => (op.response.kind === "unknown" ? applied(state, op) : explained(state, op, op.response)),
  key: ({ ids, generation, over }) => JSON.stringify([idFields.map((field) => ids[field]), generation, over]),
};

/** Returns the states after an operation with an unknown outcome took effect. */
function applied(state: SessionState, op: SessionOperation): SessionState[] {
  if (state.over || op.generation !== state.generation) return [];
  if (op.operation === "end") return [{ ...state, over: true }];
  if (op.operation === "read" || clashes(state.ids, op.ids).length > 0) return [];
  const next = written(state, op);
  return next.generation === state.generation && same(next.ids, state.ids) ? [] : [next];
}

function explained(
  state: SessionState,
  op: SessionOperation,
  response: Exclude<SessionResponse, { kind: "unknown" }>,
): SessionState[] {
  const isOpened = !state.over && op.generation === state.generation;
  if (response.kind === "absent") return isOpened ? [] : [state];
  if (response.kind === "session" && isAllowedToRetired(state, op, response)) return [state];
  if (!isOpened) return [];
  if (response.kind === "ended") return op.operation === "end" ? [{ ...state, over: true }] : [];
  if (response.kind === "conflict") {
    // Whether another session holds the visit is checked in the history of the visit.
    const foreign = response.field === "visitId" && op.ids.visitId !== null;
    return foreign || clashes(state.ids, op.ids).includes(response.field) ? [state] : [];
  }
  if (clashes(state.ids, op.ids).length > 0) return [];
  const next = op.operation === "read" ? state : written(state, op);
  return next.generation === response.generation && same(next.ids, response.ids) ? [next] : [];
}

/**
 * Returns whether a client with a retired id may get this response. During the grace a read shows the anonymous session
 * that it was. The repetition of a rotation shows the session with the id that the rotation gave it.
 */
function isAllowedToRetired(
  { ids, generation, over }: SessionState,
  op: SessionOperation,
  response: Extract<SessionResponse, { kind: "session" }>,
): boolean {
  if (over || op.generation >= generation) return false;
  if (op.operation === "read") return response.generation === op.generation && same(response.ids, noIdentity);
  const isRepetition = op.operation === "repeat" && op.generation + 1 === generation;
  return isRepetition && response.generation === generation && same(response.ids, ids);
}

/** Returns the state after a write of ids that do not clash. */
function written({ ids, generation, over }: SessionState, op: SessionOperation): SessionState {
  return { ids: merge(ids, op.ids), generation: generation + (op.operation === "write" ? 0 : 1), over };
}

function clashes(own: Identity, given: Identity): readonly string[] {
  return idFields.filter((field) => own[field] !== null && given[field] !== null && own[field] !== given[field]);
}

function merge(own: Identity, given: Identity): Identity {
  return identityOf((field) => own[field] ?? given[field]);
}

function same(one: Identity, other: Identity): boolean {
  return idFields.every((field) => one[field] === other[field]);
}
