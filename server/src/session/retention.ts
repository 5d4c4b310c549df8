import type { Lifetimes } from "./lifetime.ts";
import { hasNoIds, type Session } from "./session.ts";

/** How long stores keep sessions, in milliseconds. */
export interface RetentionPolicy {
  readonly lifetimes: Lifetimes;
  /** Time from the expiry of a session with data to its removal. */
  readonly retention: number;
}

/**
 * Returns the time (Unix ms) until which a store keeps a session. A session with data stays for the retention after
 * it expires. Every session stays until its id no longer passes for that of an unused anonymous session.
 */
export function purgeAfter(session: Session, hasRecords: boolean, policy: RetentionPolicy): number {
  const { anonymous } = policy.lifetimes;
  const retention = hasNoIds(session) && !hasRecords ? 0 : policy.retention;
  const implicitLifetime = Math.min(anonymous.idle, anonymous.total);
  return Math.max(session.expiresAt + retention, session.createdAt + implicitLifetime);
}
