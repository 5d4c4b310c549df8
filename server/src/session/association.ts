import { type IdField, idFields } from "./fields.ts";
import { expiryOf, isRenewalDue, type Lifetimes, renewed } from "./lifetime.ts";
import { type Identity, identityOf, type Session } from "./session.ts";

/** The result of associating ids with a session. */
export type Association =
  /** The session already has all the ids and needs no renewal, so nothing must be stored. */
  | { readonly outcome: "unchanged"; readonly session: Session }
  /** `session` must be stored instead of the old one. */
  | { readonly outcome: "changed"; readonly session: Session }
  /** The session has another value for the id `field`, so nothing is changed. */
  | { readonly outcome: "conflict"; readonly field: IdField };

/**
 * Associates ids with a session that is live at `now` (contract.md#rule-1): sets missing ids, accepts equal ids, and
 * changes nothing if an id differs. The store checks that no other session has the same visit (contract.md#rule-2).
 */
export function associate(session: Session, ids: Identity, now: number, lifetimes: Lifetimes): Association {
  const field = conflictingField(session, ids);
  if (field !== undefined) return { outcome: "conflict", field };
  if (addsNothing(session, ids)) {
    return isRenewalDue(session, now, lifetimes)
      ? { outcome: "changed", session: renewed(session, now, lifetimes) }
      : { outcome: "unchanged", session };
  }
  const merged = identityOf((name) => session[name] ?? ids[name]);
  const lastActiveAt = Math.max(session.lastActiveAt, now);
  const expiresAt = expiryOf(merged, session.createdAt, lastActiveAt, lifetimes);
  return { outcome: "changed", session: { ...session, ...merged, lastActiveAt, expiresAt } };
}

function conflictingField(session: Identity, ids: Identity): IdField | undefined {
  return idFields.find((field) => ids[field] !== null && session[field] !== null && ids[field] !== session[field]);
}

function addsNothing(session: Identity, ids: Identity): boolean {
  return idFields.every((field) => ids[field] === null || session[field] !== null);
}
