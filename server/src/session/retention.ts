import type { Lifetimes } from "./lifetime.ts";
import { hasNoIds, type Session } from "./session.ts";

/** How long stores keep what they hold, in milliseconds. */
export interface RetentionPolicy {
  readonly lifetimes: Lifetimes;
  /** How long what is told of a session is kept after its end. */
  readonly retention: number;
}

/**
 * Until when (ms since 1970) every store keeps the session: what is told of it for the retention, and
 * that it is over for as long as its id would be a blank session's.
 */
export function purgeAfter(session: Session, hasRecords: boolean, times: RetentionPolicy): number {
  const { anonymous } = times.lifetimes;
  const told = hasNoIds(session) && !hasRecords ? 0 : times.retention;
  const idLife = Math.min(anonymous.idle, anonymous.total);
  return Math.max(session.expiresAt + told, session.createdAt + idLife);
}
