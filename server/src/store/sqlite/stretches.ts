import { isWithin } from "../../session/permissions.ts";
import { isLive, type Session } from "../../session/session.ts";
import type { EndEvent } from "../../session/timeline.ts";
import type { RecordPageRequest } from "../ports/records.ts";
import type { Tables } from "./apply.ts";
import type { StretchLines } from "./changes.ts";
import { isErased } from "./erase.ts";
import { describedById } from "./rows.ts";
import type { WriterOptions } from "./writer.ts";

/** A page stops once it has so many characters, so that nobody waits long for the writer. */
const MAX_CHARACTERS = 512 * 1024;

/** Reads stretches of records, from the segments and from what is not merged into them yet. */
export function createStretchReader(
  { sessions, segments, journal }: Tables,
  { lifetimes, maxRecords, retention }: WriterOptions,
): (request: RecordPageRequest) => StretchLines | null {
  /** The session, unless nothing of it is left, or nothing was ever kept. */
  function toldOf(id: string, hasRecords: boolean, now: number): Session | undefined {
    const stored = sessions.find(id);
    const session = stored ?? describedById(id, lifetimes);
    if (isLive(session, now)) return session;
    if (isErased(session, now)) return undefined;
    const isKept = stored !== undefined || hasRecords;
    return isKept && now < session.expiresAt + retention ? session : undefined;
  }

  return ({ id, scope, after, limit, now }) => {
    const unmerged = journal.unmerged(id);
    const session = toldOf(id, unmerged.length > 0, now);
    if (session === undefined || !isWithin(session.customerId, scope)) return null;
    const merged = segments.count(id);
    const total = merged + unmerged.length;
    // A session may have been allowed fewer once.
    const dropped = Math.max(total - maxRecords, merged === 0 ? 0 : segments.missing(id));
    const first = Math.max(after, dropped) + 1;
    const lines = first > merged ? [] : segments.read(id, first, limit, MAX_CHARACTERS);
    if (first + lines.length > merged) {
      lines.push(...fitting(unmerged, first + lines.length - merged - 1, limit, lines));
    }
    const life = { session, associations: sessions.history(session), end: endOf(session, now) };
    return { life, total, dropped, first, lines };
  };
}

/** What of `unmerged` from the index `from` on still fits on a page that has `lines` already. */
function fitting(
  unmerged: readonly string[],
  from: number,
  limit: number,
  lines: readonly string[],
): string[] {
  let room = lines.reduce((left, line) => left - line.length, MAX_CHARACTERS);
  const fit: string[] = [];
  for (const line of unmerged.slice(from, from + limit - lines.length)) {
    // One at the least, or there would be no getting on.
    if (room <= 0 && lines.length + fit.length > 0) break;
    fit.push(line);
    room -= line.length;
  }
  return fit;
}

function endOf(session: Session, now: number): EndEvent | null {
  if (session.ended) return { type: "ended", at: session.expiresAt };
  return isLive(session, now) ? null : { type: "expired", at: session.expiresAt };
}
