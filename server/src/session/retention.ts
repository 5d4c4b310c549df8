import type { Lifetimes } from "./lifetime.ts";
import { hasNoIds, type Session } from "./session.ts";

/** How long stores keep sessions, in milliseconds. */
export interface RetentionPolicy {
  readonly lifetimes: Lifetimes;
  /** The time from the expiry of a session with data to its removal. */
  readonly retention: number;
}

/**
 * Returns the time (Unix ms) until which a store keeps a session. A session with data stays for the retention after it
 * has expired; a profile and a label are no such data. Every session stays at least for the lifetime of an implicit
 * session: if it were removed earlier, its id would count as an unused anonymous session again.
 */
export function purgeAfter(session: Session, hasRecords: boolean, policy: RetentionPolicy): number {
  const { anonymous } = policy.lifetimes;
  const retention = hasNoIds(session) && !hasRecords ? 0 : policy.retention;
  const implicitLifetime = Math.min(anonymous.idle, anonymous.total);
  return Math.max(session.expiresAt + retention, session.createdAt + implicitLifetime);
}
