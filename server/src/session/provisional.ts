/*
 * The rules of provisional records (contract.md#provisional-records). The first request of a visitor without a session
 * proves nothing: it may be that of a robot. So its record is set aside, and stored only if the session is used again.
 */

/** Milliseconds for which a record is set aside. */
export const SET_ASIDE_MS = 60_000;

/**
 * Milliseconds after the creation of a session in which a record can be set aside for it. The time of creation is in
 * the session's handle, so a store looks for such a record only while the session is that young.
 */
export const MAX_SET_ASIDE_AGE_MS = 2 * SET_ASIDE_MS;

/** Returns whether a record that arrives at `now` may be set aside. In an older session it is stored at once. */
export function mayBeSetAside(createdAt: number, now: number): boolean {
  return now - createdAt < SET_ASIDE_MS;
}

/** Returns whether a record may be set aside at `now` for a session that was created at `createdAt` (Unix ms). */
export function mayHaveSetAside(createdAt: number, now: number): boolean {
  return now - createdAt < MAX_SET_ASIDE_AGE_MS;
}
