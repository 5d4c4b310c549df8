import { type IdField, idFields } from "./fields.ts";
import { MAX_GENERATION } from "./id.ts";
import { expiryOf, isRenewalDue, type Lifetimes, renewed } from "./lifetime.ts";
import { type Identity, identityOf, type Session, sessionOf } from "./session.ts";
import { noTraits, type Traits } from "./traits.ts";

/** The result of associating ids with a session. */
export type Association =
  /** The session already has all the ids and needs no renewal, so nothing must be stored. */
  | { readonly outcome: "unchanged"; readonly session: Session }
  /** `session` must be stored instead of the old one. */
  | { readonly outcome: "changed"; readonly session: Session }
  /** The session has another value for the id `field`, so nothing is changed. */
  | { readonly outcome: "conflict"; readonly field: IdField }
  /** The session cannot be rotated once more, so nothing is changed. */
  | { readonly outcome: "rotation-limit" };

/**
 * Associates ids with a session that is live at `now` (contract.md#rule-1): sets missing ids, accepts equal ids, and
 * changes nothing if an id differs. With `rotate` the session also gets the next generation (contract.md#rule-9). `given`
 * replaces profile and label; `null` leaves them as they are (contract.md#rule-10, contract.md#rule-11). The store checks
 * that no other session has the same visit (contract.md#rule-2).
 */
export function associate(
  session: Session,
  ids: Identity,
  now: number,
  lifetimes: Lifetimes,
  rotate = false,
  given: Traits = noTraits,
): Association {
  const field = conflictingField(session, ids);
  if (field !== undefined) return { outcome: "conflict", field };
  if (rotate && session.generation === MAX_GENERATION) return { outcome: "rotation-limit" };
  if (!rotate && addsNothing(session, ids) && keepsTraits(session, given)) {
    return isRenewalDue(session, now, lifetimes)
      ? { outcome: "changed", session: renewed(session, now, lifetimes) }
      : { outcome: "unchanged", session };
  }
  const merged = identityOf((name) => session[name] ?? ids[name]);
  const { handle, createdAt, ended } = session;
  const generation = session.generation + (rotate ? 1 : 0);
  const profile = given.profile ?? session.profile;
  const label = given.label ?? session.label;
  const lastActiveAt = Math.max(session.lastActiveAt, now);
  const { agentId, customerId } = merged;
  const expiresAt = expiryOf({ agentId, customerId, profile }, createdAt, lastActiveAt, lifetimes);
  const rest = { handle, generation, createdAt, lastActiveAt, expiresAt, ended, profile, label };
  return { outcome: "changed", session: sessionOf(rest, merged) };
}

function conflictingField(session: Identity, ids: Identity): IdField | undefined {
  return idFields.find((field) => ids[field] !== null && session[field] !== null && ids[field] !== session[field]);
}

function addsNothing(session: Identity, ids: Identity): boolean {
  return idFields.every((field) => ids[field] === null || session[field] !== null);
}

function keepsTraits(session: Traits, given: Traits): boolean {
  return (
    (given.profile === null || given.profile === session.profile) &&
    (given.label === null || given.label === session.label)
  );
}
