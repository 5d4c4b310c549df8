import { idFields } from "../../src/session/fields.ts";
import { type Identity, identityOf, noIdentity } from "../../src/session/session.ts";
import type { Operation, SequentialModel } from "./search.ts";

/** A client's request on a session, with the response. A session begins to exist with its first write. */
export interface SessionOperation extends Operation {
  readonly operation: "write" | "read" | "end";
  /** Ids to associate. */
  readonly ids: Identity;
  readonly response: SessionResponse;
}

export type SessionResponse =
  /** The session has these ids. */
  | { readonly kind: "session"; readonly ids: Identity }
  /** A conflict: this id has another value, or another session holds the visit. */
  | { readonly kind: "conflict"; readonly field: string }
  /** There is no such session. */
  | { readonly kind: "absent" }
  | { readonly kind: "ended" }
  | { readonly kind: "unknown" };

interface SessionState {
  readonly ids: Identity;
  readonly over: boolean;
}

/**
 * Model of one session: an id that is set never changes (contract.md#rule-1), and an ended session never becomes live
 * again. Before its first write, it is the implicit session of its id (contract.md#rule-8). No session expires during a
 * test.
 */
export const sessionModel: SequentialModel<SessionState, SessionOperation> = {
  initial: { ids: noIdentity, over: false },
  step: (state, op) => (op.response.kind === "unknown" ? applied(state, op) : explained(state, op, op.response)),
  key: ({ ids, over }) => JSON.stringify([idFields.map((field) => ids[field]), over]),
};

/** Returns the states after an operation with an unknown outcome took effect. */
function applied(state: SessionState, { operation, ids }: SessionOperation): SessionState[] {
  if (state.over) return [];
  if (operation === "end") return [{ ...state, over: true }];
  if (operation === "read" || clashes(state.ids, ids).length > 0) return [];
  const merged = merge(state.ids, ids);
  return same(merged, state.ids) ? [] : [{ ...state, ids: merged }];
}

function explained(
  state: SessionState,
  { operation, ids }: SessionOperation,
  response: Exclude<SessionResponse, { kind: "unknown" }>,
): SessionState[] {
  if (response.kind === "absent") return state.over ? [state] : [];
  if (state.over) return [];
  if (response.kind === "ended") return operation === "end" ? [{ ...state, over: true }] : [];
  if (response.kind === "conflict") {
    // Whether another session holds the visit is checked in the history of the visit.
    const foreign = response.field === "visitId" && ids.visitId !== null;
    return foreign || clashes(state.ids, ids).includes(response.field) ? [state] : [];
  }
  if (clashes(state.ids, ids).length > 0) return [];
  const merged = operation === "write" ? merge(state.ids, ids) : state.ids;
  return same(merged, response.ids) ? [{ ...state, ids: merged }] : [];
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
