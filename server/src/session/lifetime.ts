/*
 * The rules of renewal and expiry (contract.md#rule-6); `retention.ts` has the rule of purging. The stores have copies
 * of these rules, because they apply them where the data are. Whoever changes a rule must change all its copies, and
 * `test/session/lifetime-vectors.ts`, which tests every copy:
 *
 * - `store/redis/scripts/prelude/session.lua`: live, renewal due, renewal, purge
 * - `store/redis/scripts/prelude/association.lua`: renewal by an association
 * - `store/sqlite/operations/purge-expired.ts`: expired, purge
 * - `store/sqlite/offline/inspect.ts`: live, end of the retention
 */

import { type Identity, isRecognized, noIdentity, type Session, sessionOf } from "./session.ts";

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
}

/** The part of the idle time that must have passed before a renewal is stored (contract.md#rule-6). */
const RENEWAL_PART = 1 / 10;

function lifetimeOf(ids: Identity, lifetimes: Lifetimes): Lifetime {
  return isRecognized(ids) ? lifetimes.recognized : lifetimes.anonymous;
}

/** Returns the time at which a session with these ids expires if it is not used after `lastActiveAt`. */
export function expiryOf(ids: Identity, createdAt: number, lastActiveAt: number, lifetimes: Lifetimes): number {
  const { idle, total } = lifetimeOf(ids, lifetimes);
  return Math.min(lastActiveAt + idle, createdAt + total);
}

/** Returns a session that begins at `createdAt` with `ids`. */
export function newSession(handle: string, createdAt: number, ids: Identity, lifetimes: Lifetimes): Session {
  const expiresAt = expiryOf(ids, createdAt, createdAt, lifetimes);
  return sessionOf({ handle, generation: 0, createdAt, lastActiveAt: createdAt, expiresAt, ended: false }, ids);
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
