import { type Identity, noIdentity, type Session } from "../../session/session.ts";
import type { Tables } from "./apply.ts";
import { describedById, keyOf } from "./rows.ts";
import type { WriterOptions } from "./writer.ts";

/** Whether this is what `erase` leaves: a session that ends in the future. Any other did so in the past. */
export function isErased({ ended, expiresAt }: Session, now: number): boolean {
  return ended && expiresAt > now;
}

/**
 * Lets go of everything that is kept of sessions, inside the caller's transaction. What they held is
 * overwritten where it lay (`secure_delete`); what the log has of it goes when that is cut, afterwards.
 * Gives the sessions that are kept as over, since their ids alone would describe some that live.
 */
export function createErase(
  { ids: index, sessions, segments, journal, answers }: Tables,
  { lifetimes }: WriterOptions,
): (ids: readonly string[], now: number) => Session[] {
  /** Whether the id alone would describe a session that lives. */
  function ended(id: string, now: number): Session | undefined {
    const described = describedById(id, lifetimes);
    if (described.expiresAt <= now) return undefined;
    return { ...described, ...noIdentity, ended: true };
  }

  return (ids, now) => {
    const kept: Session[] = [];
    const indexed = new Map<number, Identity>();
    for (const id of ids) {
      const key = keyOf(id);
      const stored = sessions.find(id);
      answers.remove(id);
      const rest = ended(id, now);
      if (stored !== undefined) {
        segments.remove(key, Number.MAX_SAFE_INTEGER);
        indexed.set(key, stored);
        if (rest === undefined) sessions.remove(key);
        else sessions.blank(rest);
      } else if (rest !== undefined) sessions.insert(rest);
      if (rest !== undefined) kept.push(rest);
    }
    journal.erase(new Set(ids));
    index.remove(indexed);
    return kept;
  };
}
