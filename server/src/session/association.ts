import type { IdField } from "./errors.ts";
import { expiryOf, isRenewalDue, type Lifetimes, renewed } from "./lifetime.ts";
import { type Identity, idFields, type Session } from "./session.ts";

/** What associating ids with a session comes to. */
export type Association =
  /** Every id given is there already and no renewal is due: nothing to store. */
  | { readonly outcome: "unchanged"; readonly session: Session }
  /** `session` is to be stored in place of the one that was. */
  | { readonly outcome: "changed"; readonly session: Session }
  /** An id of another value is there: nothing of the request is applied. */
  | { readonly outcome: "conflict"; readonly field: IdField };

/**
 * Associates ids with a session that is live at `now` (contract.md#rule-1): sets those that are not set, accepts those
 * that are the same, and refuses all of them if one differs. The store checks whether the visit is free
 * (contract.md#rule-2).
 */
export function associate(
  session: Session,
  ids: Identity,
  now: number,
  lifetimes: Lifetimes,
): Association {
  const field = conflictingField(session, ids);
  if (field !== undefined) return { outcome: "conflict", field };
  if (addsNothing(session, ids)) {
    return isRenewalDue(session, now, lifetimes)
      ? { outcome: "changed", session: renewed(session, now, lifetimes) }
      : { outcome: "unchanged", session };
  }
  const merged: Identity = {
    agentId: session.agentId ?? ids.agentId,
    customerId: session.customerId ?? ids.customerId,
    visitId: session.visitId ?? ids.visitId,
    globalVisitId: session.globalVisitId ?? ids.globalVisitId,
  };
  const lastActiveAt = Math.max(session.lastActiveAt, now);
  const expiresAt = expiryOf(merged, session.createdAt, lastActiveAt, lifetimes);
  return { outcome: "changed", session: { ...session, ...merged, lastActiveAt, expiresAt } };
}

function conflictingField(session: Identity, ids: Identity): IdField | undefined {
  return idFields.find(
    (field) => ids[field] !== null && session[field] !== null && ids[field] !== session[field],
  );
}

function addsNothing(session: Identity, ids: Identity): boolean {
  return idFields.every((field) => ids[field] === null || session[field] !== null);
}
