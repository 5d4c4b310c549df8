/*
 * The rules of renewal and expiry (contract.md#rule-6); `retention.ts` has the rule of purging. The stores have copies
 * of these rules, because they apply them where the data are. A change of a rule needs a change of all its copies, and
 * `test/session/lifetime-vectors.ts`, which tests every copy:
 *
 * - `store/redis/scripts/prelude/session.lua`: live, renewal due, renewal, purge
 * - `store/redis/scripts/prelude/association.lua`: renewal by an association
 * - `store/sqlite/operations/purge-expired.ts`: expired, purge
 * - `store/sqlite/offline/inspect.ts`: live, end of the retention
 */

import type { ExpiryReason } from "./event.ts";
import { type Identity, isRecognized, noIdentity, type Session, sessionOf } from "./session.ts";
import { noTraits, type Traits } from "./traits.ts";

/** The times after which a session expires, in milliseconds (contract.md#rule-6). */
export interface Lifetime {
  /** Time from the last use to the expiry. */
  readonly idle: number;
  /** Time from the creation to the expiry, even if the session is used. */
  readonly total: number;
}

export interface Lifetimes {
  readonly anonymous: Lifetime;
  readonly recognized: Lifetime;
  /** The lifetimes of the profiles by name (contract.md#rule-10). Without it there are no profiles. */
  readonly profiles?: ReadonlyMap<string, Lifetime>;
}

/** The members of a session that decide on its lifetime. */
type LifetimeFacts = Pick<Session, "agentId" | "customerId" | "profile">;

/** The part of the idle time that must have passed before a renewal is stored (contract.md#rule-6). */
const RENEWAL_PART = 1 / 10;

/** Returns the lifetime of a session. A profile that is no longer configured counts like none. */
function lifetimeOf(session: LifetimeFacts, lifetimes: Lifetimes): Lifetime {
  const ofProfile = session.profile === null ? undefined : lifetimes.profiles?.get(session.profile);
  return ofProfile ?? (isRecognized(session) ? lifetimes.recognized : lifetimes.anonymous);
}

/** Returns why a session has expired: its total life is over, or it was not used for the idle time. */
export function expiryReason(session: Session, lifetimes: Lifetimes): ExpiryReason {
  const { total } = lifetimeOf(session, lifetimes);
  return session.expiresAt - session.createdAt >= total ? "lifetime" : "idle";
}

/** Returns the longest total lifetime of any session (ms). */
export function longestLife({ anonymous, recognized, profiles }: Lifetimes): number {
  const ofProfiles = [...(profiles?.values() ?? [])].map(({ total }) => total);
  return Math.max(anonymous.total, recognized.total, ...ofProfiles);
}

/** Returns the time at which such a session expires if it is not used after `lastActiveAt`. */
export function expiryOf(
  session: LifetimeFacts,
  createdAt: number,
  lastActiveAt: number,
  lifetimes: Lifetimes,
): number {
  const { idle, total } = lifetimeOf(session, lifetimes);
  return Math.min(lastActiveAt + idle, createdAt + total);
}

/** Returns a session that begins at `createdAt` with `ids` and `traits`. */
export function newSession(
  handle: string,
  createdAt: number,
  ids: Identity,
  lifetimes: Lifetimes,
  { profile, label }: Traits = noTraits,
): Session {
  const { agentId, customerId } = ids;
  const expiresAt = expiryOf({ agentId, customerId, profile }, createdAt, createdAt, lifetimes);
  return sessionOf(
    { handle, generation: 0, createdAt, lastActiveAt: createdAt, expiresAt, ended: false, profile, label },
    ids,
  );
}

/** Returns the session that exists only in its id: anonymous, never used, not stored (contract.md#rule-8). */
export function implicitSession(handle: string, createdAt: number, lifetimes: Lifetimes): Session {
  return newSession(handle, createdAt, noIdentity, lifetimes);
}

/** Returns whether the renewal of a live session at `now` must be stored. */
export function isRenewalDue(session: Session, now: number, lifetimes: Lifetimes): boolean {
  const { idle, total } = lifetimeOf(session, lifetimes);
  if (now - session.lastActiveAt < idle * RENEWAL_PART) return false;
  return session.expiresAt < session.createdAt + total;
}

/** Returns a live session after a renewal at `now`. The session's times never decrease. */
export function renewed(session: Session, now: number, lifetimes: Lifetimes): Session {
  const lastActiveAt = Math.max(session.lastActiveAt, now);
  const expiresAt = expiryOf(session, session.createdAt, lastActiveAt, lifetimes);
  return { ...session, lastActiveAt, expiresAt };
}
