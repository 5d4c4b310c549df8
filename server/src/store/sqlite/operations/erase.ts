import type { Lifetimes } from "../../../session/lifetime.ts";
import { type Identity, noIdentity, type Session } from "../../../session/session.ts";
import { implicitSessionOf, keyOf } from "../tables/session-row.ts";
import type { Tables } from "../tables.ts";
import type { WriteOperations } from "../writer/writer-protocol.ts";

/**
 * Creates the operation that erases sessions with all their data. SQLite overwrites deleted rows (`secure_delete`).
 * Older copies in the write-ahead log and in page gaps are removed after the commit (`writer/checkpoints.ts`).
 *
 * If the implicit session of an erased handle would still be live, a tombstone replaces it: an ended session without ids.
 */
export function createErase(
  { index, sessions, data, segments, journal, responses, deliveries }: Tables,
  lifetimes: Lifetimes,
): WriteOperations["eraseSessions"] {
  function tombstoneOf(handle: string, now: number): Session | undefined {
    const session = implicitSessionOf(handle, lifetimes);
    return session.expiresAt > now ? { ...session, ...noIdentity, ended: true } : undefined;
  }

  return ({ handles, now }) => {
    const tombstones: Session[] = [];
    const indexed = new Map<number, Identity>();
    for (const handle of handles) {
      const key = keyOf(handle);
      const stored = sessions.find(handle);
      const tombstone = tombstoneOf(handle, now);
      responses.remove(handle);
      if (stored !== undefined) {
        segments.remove(key, Number.MAX_SAFE_INTEGER);
        data.remove(key);
        indexed.set(key, stored);
        if (tombstone === undefined) sessions.erase(key);
        else sessions.bury(tombstone);
      } else if (tombstone !== undefined) sessions.insert(tombstone);
      if (tombstone !== undefined) tombstones.push(tombstone);
    }
    journal.erase(new Set(handles));
    deliveries.erase(handles);
    index.remove(indexed);
    return tombstones;
  };
}
