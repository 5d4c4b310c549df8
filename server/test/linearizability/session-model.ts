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
  /** The session, with these ids. */
  | { readonly kind: "session"; readonly ids: Identity }
  /** Conflict: this id has another value, or another session holds the visit. */
  | { readonly kind: "conflict"; readonly field: string }
  /** No such session. */
  | { readonly kind: "absent" }
  | { readonly kind: "ended" }
  | { readonly kind: "unknown" };

interface SessionState {
  readonly ids: Identity;
  readonly over: boolean;
}

/**
 * Model of one session: ids, once set, stay (contract.md#rule-1), and an ended session never becomes live again.
 * Before its first write it is the implicit session of its id (contract.md#rule-8). It does not expire during a test.
 */
export const sessionModel: SequentialModel<SessionState, SessionOperation> = {
  initial: { ids: noIdentity, over: false },
  step: (state, op) => (op.response.kind === "unknown" ? applied(state, op) : explained(state, op, op.response)),
  key: ({ ids, over }) => JSON.stringify([idFields.map((field) => ids[field]), over]),
};

/** Returns the possible effects of an operation with an unknown outcome; no effect need not be tried. */
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
    // The history of the visit explains whether another session holds it.
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
